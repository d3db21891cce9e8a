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
