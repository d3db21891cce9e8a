import { jobSchema, topics } from "@sluice/records";
import { expect, test } from "vitest";
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
