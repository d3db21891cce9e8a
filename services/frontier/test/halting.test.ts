import { jobSchema, topics } from "@sluice/records";
import { describe, expect, test } from "vitest";
import { JobBench } from "./job-bench.ts";

test.each([
  ["more", 1],
  ["less", -3],
])(
  "a job at a halt whose counters say %s than is stored, as a crash without transactions may leave them, has its task spin on nothing",
  (_, by) => {
    const bench = new JobBench({ politeness: { delayMs: 1000 } });
    bench.links("a.example", 12);
    const view = bench.driver.state.views.get("j");
    if (view === undefined) throw new Error("no view");
    view.waiting += by;
    const { driver } = bench;
    driver.table(topics.jobs.name, "j", jobSchema.parse({ id: "j", open: true, desired: "cancelled" }));
    expect(driver.state.entries.first("q", 1)).toEqual([]);
    expect(driver.state.halting.size).toBe(0);
    expect(driver.nextWakeMs() ?? Infinity).toBeGreaterThan(driver.nowMs);
  },
);

test("a seed that came as its job was about to end, and is given up, has an event that says so", () => {
  const bench = new JobBench({ politeness: { delayMs: 0 } });
  bench.links("a.example", 1);
  bench.driver.feed(topics.grants.name, "j/0", {
    job: "j",
    run: 1,
    task: 0,
    granted: 0,
    recall: false,
    wave: 9,
    halt: "ended",
  });
  bench.answer({ kind: "retry", category: "http_5xx", dueAtMs: 5000 });
  expect(bench.events.filter(({ type }) => type === "url_failed")).toMatchObject([
    { url: "https://a.example/0", category: "ended", final: true, refused: true },
  ]);
  expect(bench.driver.state.views.get("j")?.tally).toMatchObject({ admitted: 1, skipped: 1 });
});

describe("a job whose time is limited", () => {
  const limits = { maxDurationMs: 20_000 };

  test("leases no URL for longer than it has time", () => {
    const bench = new JobBench({ limits, politeness: { delayMs: 0 } });
    bench.links("a.example", 2);
    bench.driver.advance(19_000);
    bench.settle();
    bench.links("b.example", 2);
    const overAtMs = (bench.status?.startedAtMs ?? 0) + limits.maxDurationMs;
    expect(bench.out.map(({ leaseUntilMs }) => leaseUntilMs)).toEqual(Array(4).fill(overAtMs));
  });

  test("releases nothing in a task that does not know yet when that is", () => {
    const bench = new JobBench({ limits, politeness: { delayMs: 0 } });
    bench.links("a.example", 1);
    const view = bench.driver.state.views.get("j");
    if (view === undefined) throw new Error("no view");
    view.deadlineAtMs = null;
    bench.links("b.example", 1);
    expect(bench.out.map(({ url }) => url)).toEqual(["https://a.example/0"]);
    const grant = { job: "j", run: 1, task: 0, granted: 0, recall: false, wave: 0, halt: null };
    bench.driver.feed(topics.grants.name, "j/0", { ...grant, deadlineAtMs: bench.driver.nowMs + 5000 });
    bench.settle();
    expect(bench.out.map(({ url }) => url)).toEqual(["https://a.example/0", "https://b.example/0"]);
    expect(bench.out.at(-1)?.leaseUntilMs).toBe(bench.driver.nowMs + 5000);
  });

  test("releases nothing when it is over, though its owner has not said so yet", () => {
    const bench = new JobBench({ limits, politeness: { delayMs: 0 } });
    bench.links("a.example", 1);
    const view = bench.driver.state.views.get("j");
    if (view === undefined) throw new Error("no view");
    view.deadlineAtMs = bench.driver.nowMs;
    bench.links("b.example", 1);
    expect(bench.out).toHaveLength(1);
    expect(view.waiting).toBe(1);
  });

  test("has another end once its record says so", () => {
    const bench = new JobBench({ limits, politeness: { delayMs: 0 } });
    bench.links("a.example", 1);
    bench.job({ limits: { maxDurationMs: 40_000 }, politeness: { delayMs: 0 } });
    bench.driver.advance(25_000);
    bench.settle();
    bench.links("b.example", 1);
    const overAtMs = (bench.status?.startedAtMs ?? 0) + 40_000;
    expect(bench.out.at(-1)).toMatchObject({ url: "https://b.example/0", leaseUntilMs: overAtMs });
  });
});
