import {
  hostOf,
  jobSchema,
  openOf,
  policyOf,
  policySchema,
  topics,
  type Job,
  type Outcome,
  type Policy,
  type PolicyBudgets,
} from "@sluice/records";
import type { Random } from "@sluice/topology/testing";
import { registrableDomain } from "@sluice/web";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkTask } from "./invariants.ts";
import { JobBench } from "./job-bench.ts";
import type { Cluster } from "./cluster.ts";
import { checkLimits, checkUsedUp, limitsOf, worldOf } from "./spending.ts";

const fast = { politeness: { delayMs: 0 } };
const done: Partial<Outcome> = { ok: true };

const policyWith = (budgets: PolicyBudgets): Policy => policySchema.parse({ budgets });

function set(bench: JobBench, pattern: string, budgets: PolicyBudgets | null): void {
  const policy = budgets === null ? undefined : policyWith(budgets);
  bench.driver.table(topics.policies.name, pattern, policy);
  settle(bench);
}

/** Also what is done a piece a step. */
function settle(bench: JobBench): void {
  bench.settle();
  bench.driver.advance(0);
  bench.settle();
}

function answerAll(bench: JobBench): number {
  let results = 0;
  for (; bench.out.length > 0; results += 1) {
    bench.answer(done);
    settle(bench);
  }
  return results;
}

const refusals = (bench: JobBench): readonly string[] =>
  bench.events.flatMap((event) =>
    event.type === "url_failed" ? [`${hostOf(event.url)} ${event.category}: ${event.detail}`] : [],
  );

describe("a budget of a policy", () => {
  test("is a ceiling for each host of its pattern, and for no other", () => {
    const bench = new JobBench(fast);
    set(bench, ".a.example", { perHost: { pagesMax: 3 } });
    for (const host of ["a.example", "www.a.example", "b.example"]) bench.links(host, 7);
    expect(answerAll(bench)).toBe(3 + 3 + 7);
    expect(refusals(bench)).toEqual([
      ...Array.from({ length: 4 }, () => "a.example host_pages: 3 pages of a.example, by a policy"),
      ...Array.from({ length: 4 }, () => "www.a.example host_pages: 3 pages of www.a.example, by a policy"),
    ]);
    expect(bench.status).toMatchObject({ skippedBy: { host_pages: 8 } });
  });

  test.each([
    ["the job's where that is less", 2, 5, 2, "2 pages of a.example"],
    ["the policy's where that is less", 5, 2, 2, "2 pages of a.example, by a policy"],
  ])("and one of the job: what counts is %s", (_, ofJob, ofPolicy, had, detail) => {
    const bench = new JobBench({ ...fast, limits: { perHost: { pagesMax: ofJob } } });
    set(bench, "*", { perHost: { pagesMax: ofPolicy } });
    bench.links("a.example", 7);
    expect(answerAll(bench)).toBe(had);
    expect(new Set(refusals(bench))).toEqual(new Set([`a.example host_pages: ${detail}`]));
  });

  test("for paths goes by the prefix, whatever else is said of paths later, and with the job's own by the lesser", () => {
    const limits = { perPath: [{ prefix: "/1", pagesMax: 9 }] };
    const bench = new JobBench({ ...fast, limits });
    const askedBelow = (prefix: string): number =>
      new Set(bench.out.flatMap(({ url }) => (new URL(url).pathname.startsWith(prefix) ? [url] : []))).size;
    const below = (prefix: string, pagesMax: number) => ({ prefix, pagesMax });
    set(bench, "a.example", { perPath: [below("/2", 3), below("/1", 4)] });
    // 11 below each of both: 2, 20 to 29; 1, 10 to 19.
    bench.links("a.example", 30);
    expect(["/1", "/2", "/"].map(askedBelow)).toEqual([4, 3, 8 + 4 + 3]);
    set(bench, "a.example", { perPath: [below("/1", 5), below("/0", 1), below("/2", 6)] });
    expect(["/1", "/2", "/"].map(askedBelow)).toEqual([5, 6, 8 + 5 + 6]);
    set(bench, "a.example", null);
    expect(["/1", "/2", "/"].map(askedBelow)).toEqual([9, 11, 8 + 9 + 11]);
    answerAll(bench);
    expect(bench.status).toMatchObject({ done: 28, skippedBy: { path_pages: 2 } });
  });

  test("that is raised lets go what waits for a unit, and what is found from then on", () => {
    const bench = new JobBench(fast);
    set(bench, "a.example", { perHost: { pagesMax: 2 } });
    bench.links("a.example", 6);
    expect(bench.out).toHaveLength(2);
    expect(bench.waitingBy).toEqual({ budget: 4 });
    set(bench, "a.example", { perHost: { pagesMax: 5 } });
    expect(bench.out).toHaveLength(5);
    set(bench, "a.example", null);
    expect(bench.out).toHaveLength(6);
    bench.links("a.example", 9);
    expect(answerAll(bench)).toBe(9);
    expect(refusals(bench)).toEqual([]);
  });

  test("that is lowered below what is used up lets nothing more go, and what waits is given up", () => {
    const bench = new JobBench(fast);
    set(bench, "a.example", { perHost: { pagesMax: 8 } });
    bench.links("a.example", 12);
    expect(bench.out).toHaveLength(8);
    for (let answers = 0; answers < 3; answers += 1) bench.answer(done);
    set(bench, "a.example", { perHost: { pagesMax: 2 } });
    expect(refusals(bench)).toHaveLength(4);
    bench.links("a.example", 20);
    expect(answerAll(bench)).toBe(5);
    expect(bench.status).toMatchObject({ done: 8, skipped: 4, refusedBy: { host_pages: 8 }, waiting: 0 });
  });

  test.each([
    ["nothing at all", {}],
    ["pages in all", { limits: { maxPages: 1000 } }],
  ])(
    "counts what is released while it is set, of a job that limits %s: what was out before neither uses it up nor frees it",
    (_, limits) => {
      const bench = new JobBench({ ...fast, ...limits });
      bench.links("a.example", 3);
      expect(bench.out).toHaveLength(3);
      set(bench, "a.example", { perHost: { pagesMax: 2 } });
      bench.links("a.example", 8);
      expect(bench.out).toHaveLength(5);
      for (let answers = 0; answers < 3; answers += 1)
        bench.answer(answers === 0 ? done : { kind: "refused", category: "robots" });
      expect(bench.out).toHaveLength(2);
      expect(answerAll(bench)).toBe(2);
      expect(bench.status).toMatchObject({ done: 3, skippedBy: { host_pages: 3, robots: 2 } });
    },
  );

  test("that is taken back and set again goes on where it was, also over a restart and a retry", () => {
    const bench = new JobBench(fast);
    set(bench, "a.example", { perHost: { pagesMax: 4 } });
    bench.links("a.example", 3);
    const due = bench.answer({ kind: "retry", category: "timeout", dueAtMs: bench.driver.nowMs + 1000 });
    set(bench, "a.example", null);
    bench.driver.restart();
    bench.answer(done);
    bench.driver.advance(1000);
    bench.settle();
    expect(bench.out.map(({ url }) => url)).toContain(due.url);
    // Its unit comes back while nobody asks for one.
    while (bench.out.length > 0)
      bench.answer(bench.out[0]?.url === due.url ? { kind: "refused", category: "robots" } : done);
    set(bench, "a.example", { perHost: { pagesMax: 4 } });
    bench.links("a.example", 9);
    expect(answerAll(bench)).toBe(2);
  });

  test("that changed while the task was nowhere holds when it is taken up, without a word of its own", () => {
    const bench = new JobBench({ ...fast, limits: { perDomain: { pagesMax: 3 } } });
    bench.links("a.example", 9);
    expect(bench.out).toHaveLength(3);
    bench.driver.commit();
    const policy = policyWith({ perDomain: { pagesMax: 1 }, perHost: { pagesMax: 2 } });
    bench.driver.tables[topics.policies.name] = new Map([[".a.example", policy]]);
    bench.driver.restartFromCommit();
    settle(bench);
    bench.answer(done);
    settle(bench);
    bench.answer({ kind: "refused", category: "robots" });
    settle(bench);
    expect(bench.out).toHaveLength(1);
    expect(bench.status?.skippedBy).toEqual({ robots: 1, domain_pages: 6 });
  });

  test("costs a job no look where no policy has one", () => {
    const bench = new JobBench(fast);
    bench.driver.table(topics.policies.name, "*", policySchema.parse({ delayMs: 0 }));
    expect(bench.driver.state.ceilings.some).toBe(false);
    set(bench, "*", { perHost: { pagesMax: 1 } });
    expect(bench.driver.state.ceilings.some).toBe(true);
  });
});

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

/** Takes steps until the job has ended, and checks the account. */
function runToEnd(cluster: Cluster, each: (step: number) => void): void {
  for (let step = 0; cluster.terminal.length === 0; step += 1) {
    if (step === 60_000) throw new Error("the job did not end");
    const busy = cluster.step();
    if (step % 13 === 0) for (const driver of cluster.tasks) checkTask(driver.state);
    each(step);
    if (!busy && cluster.terminal.length === 0) cluster.settleAndWait();
  }
  for (const driver of cluster.tasks) {
    driver.end();
    for (const view of driver.state.views.values()) expect(openOf(view.tally)).toBe(0);
  }
  const [end] = cluster.terminal;
  if (end?.type !== "job_completed") throw new Error("no end");
  expect(end.admitted).toBe(end.done + end.failed + end.skipped);
  expect(end.done + end.failed).toBe(cluster.results.length);
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
