import { jobSchema } from "@sluice/records";
import { expect, test } from "vitest";
import { runToEnd } from "./run.ts";
import type { PageDefinition } from "./site.ts";
import { host, planAsOperated, planned } from "./tarpits.ts";
import { World } from "./world.ts";

const pages = 400;
const delayMs = 100;
const lagMax = 20;
/** What is released when the sink falls behind goes on: a window of the host's, 100 URLs, with their retries. */
const stopsWithinMs = 30_000;
const full = { atMs: 10_000, forMs: 60_000 };

/** The front page leads to all others; of those each third resets its first connection. */
const site: ReadonlyMap<string, PageDefinition> = new Map(
  Array.from({ length: pages }, (_, number) => {
    const paths = number === 0 ? Array.from({ length: pages - 1 }, (__, other) => `/${other + 1}`) : [];
    const page: PageDefinition = {
      status: 200,
      location: null,
      links: paths.map((path) => ({ href: path, to: { host: 0, path } })),
      troubles: number % 3 === 1 ? 1 : 0,
      trouble: "reset",
      nofollow: false,
      fillBytes: 0,
    };
    return [number === 0 ? "/" : `/${number}`, page];
  }),
);

test("a pace, retries and a sink that stands still go together: no request too many, none lost, and none while the sink is behind", async () => {
  const job = jobSchema.parse({ id: "j", seeds: ["http://a.example/"], politeness: { delayMs } });
  const usual = planAsOperated(
    [host("a.example", site, { kind: "up" })],
    [{ ...planned(job, [0]), isCut: false, seeds: [{ host: 0, path: "/" }] }],
  );
  const plan = {
    ...usual,
    actions: [{ kind: "job" as const, atMs: 1000, job }],
    faults: [{ kind: "disk" as const, trouble: "full" as const, ...full }],
    settings: { ...usual.settings, lagMax },
  };
  const asked: { readonly atMs: number; readonly path: string }[] = [];
  const world = new World(plan, (line) => {
    const [, atMs, path] = /^(\d+) \S+ asks 0 (\S+)/.exec(line) ?? [];
    if (path !== undefined) asked.push({ atMs: Number(atMs), path });
  });
  await world.open();
  // Gaps between requests, each page's results, and its counters are checked in every run.
  const report = await runToEnd(plan, world);
  expect(report.violations).toEqual([]);
  expect(world.statuses().get("j")).toMatchObject({ done: pages, failed: 0 });

  const times = new Map<string, number>();
  for (const { path } of asked) times.set(path, (times.get(path) ?? 0) + 1);
  times.delete("/robots.txt");
  expect(times.size).toBe(pages);
  for (const [path, count] of times)
    expect([path, count]).toEqual([path, Number(path.slice(1)) % 3 === 1 ? 2 : 1]);

  const since = (ms: number): number => asked.filter(({ atMs }) => atMs > world.startMs + ms).length;
  const stopped = full.atMs + stopsWithinMs;
  const meanwhile = since(stopped) - since(full.atMs + full.forMs);
  const afterwards = since(full.atMs + full.forMs);
  expect(meanwhile).toBe(0);
  expect(afterwards).toBeGreaterThan(100);
});
