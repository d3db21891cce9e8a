import {
  hostOf,
  jobSchema,
  policyOf,
  policySchema,
  type Job,
  type Policy,
  type PolicyBudgets,
} from "@sluice/records";
import type { Random } from "@sluice/topology/testing";
import { registrableDomain } from "@sluice/web";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Cluster } from "./cluster.ts";
import { checkLimits, checkUsedUp, limitsOf, runToEnd, worldOf } from "./spending.ts";

const policyWith = (budgets: PolicyBudgets): Policy => policySchema.parse({ budgets });

/** More runs for a night: `SLUICE_TEST_RUNS=10000`. */
const runs = Number(process.env["SLUICE_TEST_RUNS"] ?? 40);
const seeds = fc.integer({ min: 0, max: 2 ** 31 - 1 });

function budgetsOf(random: Random): PolicyBudgets {
  const { perHost, perDomain, perPath } = limitsOf(random);
  return { perHost, perDomain, ...(random.chance(0.5) ? { perPath } : {}) };
}

/** What both say, as if the job said it. */
function lesser(job: Job["limits"], policy: PolicyBudgets): Job["limits"] {
  const of = (a: number | null, b: number | null | undefined): number | null =>
    a === null || b === null || b === undefined ? (a ?? b ?? null) : Math.min(a, b);
  const { perHost, perDomain, perPath = [] } = policy;
  return {
    ...job,
    perHost: { pagesMax: of(job.perHost.pagesMax, perHost?.pagesMax) },
    perDomain: {
      pagesMax: of(job.perDomain.pagesMax, perDomain?.pagesMax),
      hostsMax: of(job.perDomain.hostsMax, perDomain?.hostsMax),
    },
    perPath: [...job.perPath, ...perPath],
  };
}

function readPolicies(cluster: Cluster): void {
  while (!cluster.knowsPolicies) if (!cluster.step()) cluster.settleAndWait();
}

/** Units that URLs have, of all tasks together, by the name of the budget. */
function unitsOf(cluster: Cluster): ReadonlyMap<string, number> {
  const units = new Map<string, number>();
  for (const { state } of cluster.tasks)
    for (const [key, value] of state.entries.first("b", Number.MAX_SAFE_INTEGER)) {
      const [, , name = ""] = key.split("|");
      if (!Array.isArray(value) || name.startsWith("t/")) continue;
      const [out = 0, used = 0] = value as number[];
      units.set(name, (units.get(name) ?? 0) + out + used);
    }
  return units;
}

/** By the name of a budget of hosts or domains what is allowed now. */
function maxOf(name: string, limits: Job["limits"], policies: ReadonlyMap<string, Policy>): number {
  const [kind, of = ""] = name.split("/");
  const { perHost, perDomain } = lesser(limits, policyOf(of, policies).budgets ?? {});
  if (kind === "h") return perHost.pagesMax ?? Infinity;
  if (kind === "d") return perDomain.pagesMax ?? Infinity;
  return kind === "n" ? (perDomain.hostsMax ?? Infinity) : Infinity;
}

describe(
  "budgets of policies over several frontier tasks, random delivery and crashes",
  { timeout: 600_000 },
  () => {
    test("are those of a job that says the lesser of both: never exceeded, and used up to the last page", () => {
      let cut = 0;
      fc.assert(
        fc.property(seeds, (seed) => {
          const { random, web, cluster, start } = worldOf(seed);
          const limits = random.chance(0.5) ? limitsOf(random) : jobSchema.parse({ id: "job" }).limits;
          const budgets = budgetsOf(random);
          cluster.policy("*", policyWith(budgets));
          readPolicies(cluster);
          const scope = { kind: "any" as const, traps: "follow" as const };
          const politeness = { delayMs: 10_000 };
          cluster.submit(jobSchema.parse({ id: "job", seeds: start, scope, limits, politeness }));
          const both = lesser(limits, budgets);
          runToEnd(cluster, (step) => {
            if (step % 7 === 0) checkLimits(both, cluster);
          });
          checkLimits(both, cluster);
          checkUsedUp(both, web, cluster, start);
          if (cluster.events.some((event) => event.type === "url_failed")) cut += 1;
        }),
        { numRuns: runs },
      );
      expect(cut).toBeGreaterThan(runs / 4);
    });

    test("may change at any time: what is allowed less is in force when all have read it, and the job ends", () => {
      let lowered = 0;
      fc.assert(
        fc.property(seeds, (seed) => {
          const { random, cluster, start } = worldOf(seed);
          const limits = random.chance(0.5) ? limitsOf(random) : jobSchema.parse({ id: "job" }).limits;
          const policies = new Map<string, Policy>();
          const patterns = ["*", ...new Set(start.map((url) => `.${registrableDomain(hostOf(url))}`))];
          const change = (): void => {
            const pattern = random.pick(patterns);
            const policy = random.chance(0.25) ? undefined : policyWith(budgetsOf(random));
            if (policy === undefined) policies.delete(pattern);
            else policies.set(pattern, policy);
            cluster.policy(pattern, policy);
          };
          change();
          const scope = { kind: "any" as const, traps: "follow" as const };
          cluster.submit(
            jobSchema.parse({ id: "job", seeds: start, scope, limits, politeness: { delayMs: 10_000 } }),
          );
          // Units that were taken when the last task had read of the last change.
          let taken: ReadonlyMap<string, number> | null = null;
          runToEnd(cluster, (step) => {
            if (random.chance(0.02) && step < 3000) {
              change();
              taken = null;
            }
            if (!cluster.knowsPolicies) return;
            const units = unitsOf(cluster);
            taken ??= units;
            for (const [name, count] of units) {
              const max = maxOf(name, limits, policies);
              const before = taken.get(name) ?? 0;
              if (before > max) lowered += 1;
              if (count > Math.max(max, before))
                throw new Error(`${name}: ${count}, at most ${max}, and ${before} before`);
            }
          });
        }),
        { numRuns: runs },
      );
      expect(lowered).toBeGreaterThan(runs / 4);
    });
  },
);
