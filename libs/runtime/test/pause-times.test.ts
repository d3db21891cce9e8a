import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PartitionBudget } from "../src/budget.ts";
import { RebalanceTimer } from "../src/rebalance-timer.ts";

const limits = { recordsHigh: 4, recordsLow: 2, bytesHigh: 100, bytesLow: 50 };
const reasons = ["restoring", "span", "draining"] as const;

describe("times of pauses", () => {
  test("add up over partitions and reasons, also while they last and after a partition is gone", () => {
    const change = fc.record({
      afterMs: fc.nat(1000),
      partition: fc.nat(3),
      reason: fc.constantFrom(...reasons),
      what: fc.constantFrom("hold", "release", "drop"),
    });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
        let nowMs = 0;
        const budget = new PartitionBudget(limits, () => nowMs);
        const paused = new Set<string>();
        const expected = new Map<string, number>();
        for (const { afterMs, partition, reason, what } of changes) {
          nowMs += afterMs;
          for (const key of paused) {
            const of = key.split("/")[0] ?? "";
            expected.set(of, (expected.get(of) ?? 0) + afterMs);
          }
          const at = { topic: "t", partition };
          if (what === "drop") {
            budget.drop(at);
            for (const each of reasons) paused.delete(`${each}/${partition}`);
          } else {
            budget[what](at, reason);
            paused[what === "hold" ? "add" : "delete"](`${reason}/${partition}`);
          }
          for (const [each, ms] of budget.pausedMs()) expect(ms).toBe(expected.get(each) ?? 0);
          for (const each of expected.keys()) expect(budget.pausedMs().has(each)).toBe(true);
        }
      }),
    );
  });
});

describe("the time of a rebalance", () => {
  test("counts from its first word to the first moment that all runs, once", () => {
    const timer = new RebalanceTimer();
    timer.began(100);
    // Still ready by the tasks of before.
    expect(timer.ready(110)).toBeNull();
    timer.began(150);
    timer.joined(200);
    expect(timer.ready(450)).toBe(350);
    expect(timer.ready(500)).toBeNull();
  });

  test("counts from the join where nobody said a word before", () => {
    const timer = new RebalanceTimer();
    timer.joined(200);
    timer.joined(300);
    expect(timer.ready(450)).toBe(250);
  });
});
