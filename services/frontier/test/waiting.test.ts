import { describe, expect, test } from "vitest";
import { JobBench } from "./job-bench.ts";

const slow = { politeness: { delayMs: 10_000 } };

describe("the status of a job says of each waiting URL what holds it", () => {
  test("the pace of its host, a failed try, a host that asked for a pause, a breaker", () => {
    const bench = new JobBench(slow);
    bench.links("a.example", 10);
    // Three are out: 30 seconds of the host's pace.
    expect(bench.waitingBy).toEqual({ politeness: 7 });
    const dueAtMs = bench.driver.nowMs + 90_000;
    bench.answer({ kind: "retry", category: "reset", dueAtMs });
    bench.answer({ kind: "deferred", detail: "retry_after", dueAtMs });
    bench.answer({ kind: "deferred", detail: "breaker", dueAtMs });
    bench.answer({ kind: "deferred", detail: "queue", dueAtMs });
    expect(bench.waitingBy).toEqual({ politeness: 4, back_off: 2, breaker: 1 });
    expect(bench.status).toMatchObject({ admitted: 10, waiting: 7, inFlight: 3 });
  });

  test("and says the same after the task was taken over", () => {
    const bench = new JobBench(slow);
    bench.links("a.example", 6);
    const dueAtMs = bench.driver.nowMs + 90_000;
    bench.answer({ kind: "retry", category: "reset", dueAtMs });
    bench.answer({ kind: "deferred", detail: "breaker", dueAtMs });
    const before = bench.waitingBy;
    bench.driver.commit();
    bench.driver.restartFromCommit();
    bench.settle();
    expect(bench.waitingBy).toEqual(before);
    expect(before).toEqual({ politeness: 1, back_off: 1, breaker: 1 });
    // When their time has come all of them wait for their host again.
    bench.driver.advance(90_000);
    bench.settle();
    expect(bench.waitingBy).toEqual({ politeness: 3 });
  });

  test("a pause, lagging readers, the most that a task may have out, maxPages", () => {
    const bench = new JobBench(slow);
    bench.links("a.example", 10);
    bench.job({ ...slow, desired: "paused" });
    expect(bench.waitingBy).toEqual({ paused: 7 });
    bench.job(slow);
    expect(bench.waitingBy).toEqual({ politeness: 7 });
    bench.driver.table("flow", "release", { group: "sink" });
    bench.settle();
    expect(bench.waitingBy).toEqual({ back_pressure: 7 });
    bench.driver.table("flow", "release", undefined);
    bench.settle();
    expect(bench.waitingBy).toEqual({ politeness: 7 });

    const full = new JobBench({ politeness: { delayMs: 0 } }, { releasedMax: 20 });
    full.links("a.example", 50);
    expect(full.waitingBy).toEqual({ capacity: 30 });

    const limited = new JobBench({ limits: { maxPages: 4 }, politeness: { delayMs: 0 } });
    limited.links("a.example", 9);
    expect(limited.waitingBy).toEqual({ budget: 5 });
  });

  test("nothing, where so much is to be given up that it goes a piece at a time", () => {
    const bench = new JobBench(slow);
    for (const host of ["a.example", "b.example"]) bench.links(host, 700);
    bench.job({ ...slow, desired: "cancelled" });
    expect(bench.ending).toEqual(expect.arrayContaining([894, 394]));
    expect(bench.waitingBy).toEqual({});
    expect(bench.status).toMatchObject({ admitted: 1400, skipped: 1394, inFlight: 6 });
  });
});
