import { policySchema, topics } from "@sluice/records";
import { describe, expect, test } from "vitest";
import { JobBench } from "./job-bench.ts";

const fast = { politeness: { delayMs: 0 } };

function block(bench: JobBench, pattern: string): void {
  const policy = policySchema.parse({ blocked: { reason: "asked by the owner" } });
  bench.driver.table(topics.policies.name, pattern, policy);
  bench.settle();
  bench.driver.advance(100);
  bench.settle();
}

/** URLs of hosts a and b: on each some wait in the queue, some for an instant, and some have failed. */
function benchWithTwoHosts(): JobBench {
  const bench = new JobBench({ politeness: { delayMs: 10_000 } });
  for (const host of ["a.example", "b.example"]) bench.links(host, 12);
  const dueAtMs = bench.driver.nowMs + 3_600_000;
  for (let number = 0; number < 12; number += 1)
    bench.answer(number % 2 === 0 ? { kind: "deferred", detail: "breaker", dueAtMs } : { category: "dns" });
  return bench;
}

const storedOn = (bench: JobBench, host: string): readonly string[] =>
  ["q", "d", "h", "f", "x"].flatMap((letter) =>
    bench.driver.state.entries
      .first(letter, 1000)
      .filter(([key, value]) => JSON.stringify([key, value]).includes(host))
      .map(([key]) => key),
  );

describe("a host that is blocked", () => {
  test("has its URLs given up and forgotten, those that wait for an instant and those that failed too; others stay", () => {
    const bench = benchWithTwoHosts();
    const before = storedOn(bench, "b.example");
    expect(storedOn(bench, "a.example")).toHaveLength(12);
    block(bench, "a.example");
    // What is out is answered first.
    while (bench.out.some(({ url }) => url.includes("a.example"))) {
      bench.out.sort((a, b) => a.url.localeCompare(b.url));
      bench.answer({ kind: "refused", category: "blocked" });
    }
    expect(storedOn(bench, "a.example")).toEqual([]);
    expect(storedOn(bench, "b.example")).toEqual(before);
    const { status } = bench;
    expect(status?.failedBy?.["blocked"]).toBeGreaterThan(0);
    expect(status).toMatchObject({ admitted: 24, failed: 6 });
    const refused = bench.events.filter(
      (event) => event.type === "url_failed" && event.category === "blocked",
    );
    expect(refused.length).toBeGreaterThanOrEqual(6);
    // Nothing of the host is left to be asked for again.
    bench.job({
      politeness: { delayMs: 10_000 },
      retry: { asked: { dns: { times: 1, atMs: 1 } }, continues: null },
    });
    expect(bench.out.every(({ url }) => url.includes("b.example"))).toBe(true);
  });

  test("has URLs given up that wait for a unit of a budget, and its job ends with an exact account", () => {
    const fields = { ...fast, limits: { perPath: [{ prefix: "/", pagesMax: 1 }] } };
    const bench = new JobBench(fields);
    for (const host of ["a.example", "b.example"]) bench.links(host, 700);
    expect(bench.out).toHaveLength(2);
    expect(bench.waitingBy).toEqual({ budget: 1398 });
    block(bench, "a.example");
    // The one that is out has not been answered.
    expect(storedOn(bench, "a.example")).toHaveLength(1);
    expect(bench.status).toMatchObject({ admitted: 1400, waiting: 699, skippedBy: { blocked: 699 } });
    while (bench.out.length > 0)
      bench.answer(
        bench.out[0]?.url.includes("a.example") === true
          ? { kind: "refused", category: "blocked" }
          : { ok: true },
      );
    bench.job({ ...fields, open: false });
    bench.driver.advance(5000);
    bench.settle();
    expect(storedOn(bench, "a.example")).toEqual([]);
    expect(bench.status).toMatchObject({
      state: "ended",
      admitted: 1400,
      done: 1,
      failed: 0,
      skipped: 1399,
      skippedBy: { blocked: 700, path_pages: 699 },
      waiting: 0,
      inFlight: 0,
    });
  });

  test.each([
    ["wait for an instant", { kind: "deferred", detail: "breaker", dueAtMs: 2_000_000_000 }],
    ["stand in the queue again", { kind: "expired" }],
  ] as const)("gives back what its URLs have of its domain's budget, those that %s", (_, answer) => {
    const fields = { ...fast, limits: { perDomain: { pagesMax: 2 } } };
    const bench = new JobBench(fields);
    bench.links("a.d.example", 2);
    bench.links("b.d.example", 3);
    expect(bench.out.map(({ url }) => url)).toEqual(["https://a.d.example/0", "https://a.d.example/1"]);
    bench.job({ ...fields, desired: "paused" });
    while (bench.out.length > 0) bench.answer(answer);
    block(bench, "a.d.example");
    bench.job(fields);
    expect(bench.out.map(({ url }) => url)).toEqual(["https://b.d.example/0", "https://b.d.example/1"]);
    for (let number = 0; number < 2; number += 1) bench.answer({ ok: true });
    expect(bench.status).toMatchObject({ done: 2, skippedBy: { blocked: 2, domain_pages: 1 }, waiting: 0 });
  });

  test("is gone through a piece a step, also where the task is taken over in the middle", () => {
    const bench = new JobBench(fast, { windowMax: 2000 });
    bench.links("a.example", 900);
    const dueAtMs = bench.driver.nowMs + 3_600_000;
    while (bench.out.length > 0) bench.answer({ kind: "deferred", detail: "breaker", dueAtMs });
    bench.driver.commit();
    const policy = policySchema.parse({ blocked: { reason: "asked by the owner" } });
    bench.driver.tables[topics.policies.name] = new Map([[".example", policy]]);
    bench.driver.restartFromCommit();
    bench.settle();
    bench.driver.advance(100);
    bench.settle();
    expect(bench.status).toMatchObject({ admitted: 900, skipped: 900, waiting: 0 });
    expect(storedOn(bench, "a.example")).toEqual([]);
  });

  test("goes on at once when the block is lifted, with what has waited meanwhile, and gives no more up", () => {
    const slow = { politeness: { delayMs: 10_000 } };
    const bench = new JobBench(slow);
    bench.links("a.example", 12);
    bench.job({ ...slow, desired: "paused" });
    block(bench, "a.example");
    expect(bench.status).toMatchObject({ waiting: 9, skipped: 0 });
    bench.driver.table(topics.policies.name, "a.example", undefined);
    bench.job(slow);
    bench.links("a.example", 20);
    for (let number = 0; number < 3; number += 1) bench.answer({ kind: "settled", ok: true, category: "ok" });
    // Half of the window is free before more is released.
    expect(bench.out.length).toBeGreaterThanOrEqual(2);
    expect(
      bench.driver.nowMs - bench.out.reduce((first, due) => Math.min(first, due.releasedAtMs), Infinity),
    ).toBeLessThan(1000);
    expect(bench.status?.skipped).toBe(0);
  });
});
