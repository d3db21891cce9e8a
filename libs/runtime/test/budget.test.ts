import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PartitionBudget } from "../src/budget.ts";
import type { TopicPartition } from "../src/broker.ts";

const limits = { recordsHigh: 4, recordsLow: 2, bytesHigh: 100, bytesLow: 50 };
const due0 = { topic: "crawl.due", partition: 0 };
const due1 = { topic: "crawl.due", partition: 1 };
const none = { pause: [], resume: [] };

describe("partition budget", () => {
  test("pauses from the high mark on and resumes at the low mark, not in between", () => {
    const budget = new PartitionBudget(limits, () => 0);
    budget.add(due0, 3, 3);
    expect(budget.changes()).toEqual(none);
    budget.add(due0, 1, 1);
    expect(budget.changes()).toEqual({ pause: [due0], resume: [] });
    budget.remove(due0, 1, 1);
    expect(budget.changes()).toEqual(none);
    budget.remove(due0, 1, 1);
    expect(budget.changes()).toEqual({ pause: [], resume: [due0] });
    budget.add(due0, 1, 1);
    expect(budget.changes()).toEqual(none);
  });

  test("one record larger than the limit of bytes pauses until it is finished", () => {
    const budget = new PartitionBudget(limits, () => 0);
    budget.add(due0, 1, 5000);
    expect(budget.changes().pause).toEqual([due0]);
    expect(budget.reasonsOf(due0)).toEqual(["bytes"]);
    budget.remove(due0, 1, 5000);
    expect(budget.changes().resume).toEqual([due0]);
  });

  test("bytes pause from their high mark on and resume at their low mark", () => {
    const budget = new PartitionBudget(limits, () => 0);
    budget.add(due0, 1, 49);
    budget.add(due0, 1, 50);
    expect(budget.changes()).toEqual(none);
    budget.add(due0, 1, 1);
    expect(budget.changes().pause).toEqual([due0]);
    budget.remove(due0, 1, 49);
    expect(budget.changes()).toEqual(none);
    budget.remove(due0, 1, 1);
    expect(budget.changes().resume).toEqual([due0]);
  });

  test("stays paused while any reason stands", () => {
    const budget = new PartitionBudget(limits, () => 0);
    budget.hold(due0, "restoring");
    budget.hold(due0, "restoring");
    budget.hold(due0, "downstream");
    budget.add(due0, 4, 4);
    expect(budget.changes()).toEqual({ pause: [due0], resume: [] });
    budget.release(due0, "restoring");
    budget.remove(due0, 4, 4);
    expect(budget.changes()).toEqual(none);
    expect(budget.reasonsOf(due0)).toEqual(["downstream"]);
    budget.release(due0, "downstream");
    expect(budget.changes()).toEqual({ pause: [], resume: [due0] });
  });

  test("says nothing of a partition that was paused and resumed since the last call", () => {
    const budget = new PartitionBudget(limits, () => 0);
    budget.hold(due0, "span");
    budget.release(due0, "span");
    expect(budget.changes()).toEqual(none);
  });

  test("one partition at its limit leaves the others alone", () => {
    const budget = new PartitionBudget(limits, () => 0);
    budget.add(due0, 4, 4);
    budget.add(due1, 1, 1);
    expect(budget.changes()).toEqual({ pause: [due0], resume: [] });
    expect([budget.heldRecords, budget.heldBytes]).toEqual([5, 5]);
  });

  test("after a join, which pauses all, only partitions without a reason are resumed", () => {
    const budget = new PartitionBudget(limits, () => 0);
    budget.hold(due1, "offset_map");
    budget.changes();
    budget.reset(due0);
    budget.reset(due1);
    expect(budget.changes()).toEqual({ pause: [], resume: [due0] });
    budget.release(due1, "offset_map");
    expect(budget.changes()).toEqual({ pause: [], resume: [due1] });
  });

  test("a dropped partition takes its records, bytes and reasons along", () => {
    const budget = new PartitionBudget(limits, () => 0);
    budget.add(due0, 5, 500);
    budget.hold(due0, "draining");
    budget.drop(due0);
    expect(budget.changes()).toEqual(none);
    expect([budget.heldRecords, budget.heldBytes, budget.pausedByReason().size]).toEqual([0, 0, 0]);
    expect(() => budget.remove(due0, 1, 1)).toThrow(/crawl\.due\/0/);
  });

  test("giving back more than is held throws, as does a hold in the name of counting", () => {
    const budget = new PartitionBudget(limits, () => 0);
    budget.add(due0, 1, 10);
    expect(() => budget.remove(due0, 2, 10)).toThrow(/crawl\.due\/0/);
    expect(() => budget.remove(due0, 1, 11)).toThrow(/crawl\.due\/0/);
    expect(() => budget.hold(due0, "records")).toThrow(/records/);
    expect(() => new PartitionBudget({ ...limits, recordsLow: 4 }, () => 0)).toThrow(RangeError);
    expect(() => new PartitionBudget({ ...limits, bytesLow: -1 }, () => 0)).toThrow(RangeError);
  });

  test("behaves as a naive recount of everything does, whatever the schedule", () => {
    const partition = fc.nat(3);
    const reason = fc.constantFrom("restoring", "downstream", "mine");
    const action = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({ kind: fc.constant("add" as const), partition, bytes: fc.nat(60) }),
      },
      { weight: 4, arbitrary: fc.record({ kind: fc.constant("remove" as const), partition }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant("hold" as const), partition, reason }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant("release" as const), partition, reason }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant("drop" as const), partition }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant("reset" as const), partition }) },
      { weight: 3, arbitrary: fc.record({ kind: fc.constant("changes" as const) }) },
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 80 }), (actions) => {
        const budget = new PartitionBudget(limits, () => 0);
        const fresh = () => ({
          records: [] as number[],
          full: false,
          heavy: false,
          named: new Set<string>(),
          told: false,
        });
        const model = Array.from({ length: 4 }, fresh);
        const reasonsOf = (at: ReturnType<typeof fresh>) =>
          [...at.named, ...(at.full ? ["records"] : []), ...(at.heavy ? ["bytes"] : [])].sort();
        const bytesOf = (at: ReturnType<typeof fresh>) => at.records.reduce((sum, bytes) => sum + bytes, 0);
        for (const action of actions) {
          if (action.kind === "changes") {
            const { pause, resume } = budget.changes();
            const partitions = (list: readonly TopicPartition[]) => list.map((at) => at.partition).sort();
            const expected = (paused: boolean) =>
              [0, 1, 2, 3].filter((partition) => {
                const at = model[partition];
                return at !== undefined && at.told !== paused && reasonsOf(at).length > 0 === paused;
              });
            expect(partitions(pause)).toEqual(expected(true));
            expect(partitions(resume)).toEqual(expected(false));
            for (const at of model) at.told = reasonsOf(at).length > 0;
          } else {
            const at = model[action.partition] ?? fresh();
            const topicPartition = { topic: "crawl.due", partition: action.partition };
            switch (action.kind) {
              case "add":
                budget.add(topicPartition, 1, action.bytes);
                at.records.push(action.bytes);
                break;
              case "remove": {
                const bytes = at.records.shift();
                if (bytes !== undefined) budget.remove(topicPartition, 1, bytes);
                break;
              }
              case "hold":
                budget.hold(topicPartition, action.reason);
                at.named.add(action.reason);
                break;
              case "release":
                budget.release(topicPartition, action.reason);
                at.named.delete(action.reason);
                break;
              case "drop":
                budget.drop(topicPartition);
                model[action.partition] = fresh();
                break;
              case "reset":
                budget.reset(topicPartition);
                at.told = true;
                break;
            }
            at.full = at.records.length >= 4 || (at.full && at.records.length > 2);
            at.heavy = bytesOf(at) >= 100 || (at.heavy && bytesOf(at) > 50);
          }
          const gauges = new Map<string, number>();
          for (const [partition, at] of model.entries()) {
            expect([...budget.reasonsOf({ topic: "crawl.due", partition })].sort()).toEqual(reasonsOf(at));
            for (const reason of reasonsOf(at)) gauges.set(reason, (gauges.get(reason) ?? 0) + 1);
          }
          expect(budget.pausedByReason()).toEqual(gauges);
          expect(budget.heldRecords).toBe(model.reduce((sum, at) => sum + at.records.length, 0));
          expect(budget.heldBytes).toBe(model.reduce((sum, at) => sum + bytesOf(at), 0));
        }
      }),
      { numRuns: 10_000 },
    );
  });
});
