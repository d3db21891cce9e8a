import { jobSchema, policySchema, type PolicyBudgets } from "@sluice/records";
import { expect, test } from "vitest";
import type { Fault } from "./fault-plan.ts";

import { runToEnd } from "./run.ts";
import type { PageDefinition } from "./site.ts";
import { host, planAsOperated, planned } from "./tarpits.ts";
import { World } from "./world.ts";

const pages = 80;
const delayMs = 1000;
const names = ["a.one.example", "b.one.example", "c.two.example"];
/** The promise of docs/politeness.md. */
const inForceMs = 5000;

/** The front page leads to all others. */
const siteOf = (number: number): ReadonlyMap<string, PageDefinition> =>
  new Map(
    Array.from({ length: pages }, (_, page) => {
      const paths = page === 0 ? Array.from({ length: pages - 1 }, (__, other) => `/${other + 1}`) : [];
      const definition: PageDefinition = {
        status: 200,
        location: null,
        links: paths.map((path) => ({ href: path, to: { host: number, path } })),
        troubles: 0,
        trouble: "reset",
        nofollow: false,
        fillBytes: 0,
      };
      return [page === 0 ? "/" : `/${page}`, definition];
    }),
  );

const loweredAtMs = 15_000;
const said: readonly (readonly [number, string, PolicyBudgets])[] = [
  [200, "*", { perHost: { pagesMax: 60 } }],
  [200, ".one.example", { perDomain: { pagesMax: 10 } }],
  [2000, ".one.example", { perDomain: { pagesMax: 60 } }],
  [loweredAtMs, ".one.example", { perDomain: { pagesMax: 30 } }],
  [loweredAtMs, "c.two.example", { perHost: { pagesMax: 2 } }],
];
const killOf = (atMs: number, index: number, loseState: boolean): Fault => ({
  kind: "kill",
  service: "frontier",
  atMs,
  index,
  downMs: 500,
  loseState,
});

test("budgets of policies hold for a job without its own through all services, raised and lowered while it runs, over kills and rebalances", async () => {
  const job = jobSchema.parse({
    id: "j",
    seeds: names.map((name) => `http://${name}/`),
    scope: { kind: "any" },
    politeness: { delayMs },
  });
  const usual = planAsOperated(
    names.map((name, number) => host(name, siteOf(number), { kind: "up" })),
    [{ ...planned(job, [0, 1, 2]), seeds: names.map((_, number) => ({ host: number, path: "/" })) }],
  );
  const plan = {
    ...usual,
    instances: { ...usual.instances, frontier: 2 },
    // What is released goes on: so little is out that a change is seen at once.
    settings: { ...usual.settings, frontier: { ...usual.settings.frontier, windowMax: 4 } },
    actions: [
      ...said.map(([atMs, pattern, budgets]) => {
        const policy = policySchema.parse({ budgets });
        return { kind: "policy" as const, atMs, pattern, policy };
      }),
      { kind: "job" as const, atMs: 1000, job },
    ],
    faults: [
      killOf(3500, 0, true),
      { kind: "rebalance" as const, service: "frontier" as const, atMs: 5000 },
      killOf(loweredAtMs + 1000, 1, false),
    ],
  };
  const asked: { readonly atMs: number; readonly host: number; readonly path: string }[] = [];
  const world = new World(plan, (line) => {
    const [, atMs, number, path = ""] = /^(\d+) \S+ asks (\d+) (\S+)/.exec(line) ?? [];
    if (path !== "" && path !== "/robots.txt")
      asked.push({ atMs: Number(atMs) - world.startMs, host: Number(number), path });
  });
  await world.open();
  const report = await runToEnd(plan, world);
  expect(report.violations).toEqual([]);

  const pathsOf = (...hosts: readonly number[]): number =>
    new Set(asked.filter((each) => hosts.includes(each.host)).map((each) => each.host + each.path)).size;
  // More than at first, and to the last page of what was allowed at the end.
  expect(pathsOf(0, 1)).toBe(30);
  // What was had before is above what is allowed since.
  expect(pathsOf(2)).toBeGreaterThan(5);
  expect(pathsOf(2)).toBeLessThan(60);
  const late = asked.filter((each) => each.host === 2 && each.atMs > loweredAtMs + inForceMs);
  expect(late).toEqual([]);
  const status = world.statuses().get("j");
  expect(status).toMatchObject({ state: "ended", done: 30 + pathsOf(2), failed: 0, waiting: 0 });
  const { skippedBy = {}, refusedBy = {} } = status ?? {};
  expect([...new Set([...Object.keys(skippedBy), ...Object.keys(refusedBy)])].sort()).toEqual([
    "domain_pages",
    "host_pages",
  ]);
});
