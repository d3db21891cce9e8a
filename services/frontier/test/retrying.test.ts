import type { Due } from "@sluice/records";
import { describe, expect, test } from "vitest";
import { JobBench } from "./job-bench.ts";

const fast = { politeness: { delayMs: 0 } };
const failed = { kind: "settled" as const, ok: false };
const asking = (times: Readonly<Record<string, number>>, continues: number | null = null) => ({
  retry: {
    asked: Object.fromEntries(
      Object.entries(times).map(([category, each]) => [category, { times: each, atMs: 1 }]),
    ),
    continues,
  },
});
const urls = (all: readonly Due[]): readonly string[] => all.map(({ url }) => url).sort();

/** Six URLs: two were had, two timed out, one was answered 500, one 404. */
function benchWithFailures(job: object = fast): JobBench {
  const bench = new JobBench(job);
  bench.links("a.example", 6);
  bench.answer({ ok: true });
  bench.answer({ ok: true });
  bench.answer({ ...failed, category: "timeout_total" });
  bench.answer({ ...failed, category: "timeout_total" });
  bench.answer({ ...failed, category: "http_5xx" });
  bench.answer({ ...failed, category: "http_4xx" });
  return bench;
}

describe("failed URLs", () => {
  test("are counted by category, and asked for again by category, each once, as visits of their own", () => {
    const bench = benchWithFailures();
    expect(bench.status).toMatchObject({
      admitted: 6,
      done: 2,
      failed: 4,
      failedBy: { timeout_total: 2, http_5xx: 1, http_4xx: 1 },
    });
    bench.job({ ...fast, ...asking({ timeout_total: 1, http_5xx: 1 }) });
    expect(urls(bench.out)).toEqual([2, 3, 4].map((n) => `https://a.example/${n}`));
    expect(bench.out.map(({ visit, attempt }) => [visit, attempt])).toEqual([
      [2, 1],
      [2, 1],
      [2, 1],
    ]);
    expect(bench.status).toMatchObject({ admitted: 6, done: 2, failed: 1, retried: 3, inFlight: 3 });
    // The same record again is no further order.
    bench.job({ ...fast, ...asking({ timeout_total: 1, http_5xx: 1 }) });
    expect(bench.out).toHaveLength(3);
    bench.answer({ ok: true });
    bench.answer({ ...failed, category: "http_5xx" });
    bench.answer({ ok: true });
    expect(bench.status).toMatchObject({
      admitted: 6,
      done: 4,
      failed: 2,
      failedBy: { http_5xx: 1, http_4xx: 1 },
      waiting: 0,
      inFlight: 0,
    });
    bench.job({ ...fast, ...asking({ timeout_total: 1, http_5xx: 2 }) });
    expect(bench.out.map(({ visit }) => visit)).toEqual([3]);
  });

  test("are asked for once each where the task is taken over in the middle of many", () => {
    const bench = new JobBench({ politeness: { delayMs: 3_600_000 } }, { windowMax: 2000 });
    bench.job(fast);
    for (let host = 0; host < 2; host += 1) bench.links(`h${host}.example`, 300);
    while (bench.out.length > 0) bench.answer({ ...failed, category: "reset" });
    expect(bench.status).toMatchObject({ failedBy: { reset: 600 } });
    bench.driver.commit();
    bench.job({ ...fast, ...asking({ reset: 1 }) });
    const seen = new Set(bench.out.map(({ releaseId }) => releaseId));
    bench.driver.commit();
    bench.driver.restartFromCommit();
    bench.settle();
    for (const due of bench.out) seen.add(due.releaseId);
    while (bench.out.length > 0) for (const { url } of [bench.answer({ ok: true })]) seen.add(url);
    expect(bench.status).toMatchObject({ admitted: 600, done: 600, failed: 0, retried: 600, inFlight: 0 });
    expect(seen.size).toBe(1200);
  });

  test("use up maxPages like all others: each visit has a result", () => {
    const limited = { ...fast, limits: { maxPages: 7 } };
    const bench = benchWithFailures(limited);
    bench.job({ ...limited, ...asking({ timeout_total: 1 }) });
    expect(bench.out).toHaveLength(1);
    bench.answer({ ok: true });
    expect(bench.out).toHaveLength(0);
    expect(bench.status).toMatchObject({ admitted: 6, done: 3, failed: 2, skipped: 1, waiting: 0 });
  });

  test("of a cancelled job stay failed, and the job ends", () => {
    const bench = benchWithFailures();
    bench.job({ ...fast, open: false, desired: "cancelled", ...asking({ http_5xx: 1 }) });
    expect(bench.out).toHaveLength(0);
    expect(bench.status).toMatchObject({ state: "ended", failed: 4, admitted: 6 });
  });
});

describe("a job that has ended", () => {
  const over = { ...fast, open: false };

  test("goes on with what failed as its next run, and finds what it leads to, but nothing it had", () => {
    const bench = benchWithFailures();
    bench.job(over);
    bench.driver.advance(5000);
    bench.settle();
    expect(bench.status).toMatchObject({ state: "ended", run: 1, failed: 4 });
    const [view] = bench.driver.state.views.values();
    expect(view?.known.size, "in memory after the end").toBe(0);
    bench.driver.commit();
    bench.driver.restartFromCommit();
    bench.settle();
    bench.job({ ...over, run: 2, ...asking({ timeout_total: 1 }, 1) });
    expect(urls(bench.out)).toEqual(["https://a.example/2", "https://a.example/3"]);
    expect(bench.out.every(({ run, visit }) => run === 2 && visit === undefined)).toBe(true);
    bench.answer({ ok: true });
    // It leads to pages that run 1 had, one that failed in it otherwise, and two that are new.
    bench.links("a.example", 8, 2);
    expect(urls(bench.out)).toEqual([3, 6, 7].map((n) => `https://a.example/${n}`));
    while (bench.out.length > 0) bench.answer({ ok: true });
    bench.driver.advance(5000);
    bench.settle();
    expect(bench.status).toMatchObject({
      state: "ended",
      run: 2,
      admitted: 4,
      done: 4,
      failed: 0,
      skipped: 0,
    });
    expect(bench.events.filter(({ type }) => type === "job_completed")).toHaveLength(2);
  });

  test("is crawled afresh where it is submitted anew, and nothing is left of what failed", () => {
    const bench = benchWithFailures();
    bench.job(over);
    bench.driver.advance(5000);
    bench.settle();
    bench.job({ ...fast, run: 2 });
    bench.links("a.example", 6, 2);
    expect(bench.out).toHaveLength(6);
    bench.driver.advance(1000);
    bench.settle();
    const [view] = bench.driver.state.views.values();
    expect(bench.driver.state.dropping.size).toBe(0);
    expect(view?.failedBy.size).toBe(0);
    bench.job({ ...fast, run: 2, ...asking({ timeout_total: 1 }) });
    expect(bench.out).toHaveLength(6);
  });
});
