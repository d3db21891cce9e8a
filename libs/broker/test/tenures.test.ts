import { describe, expect, test } from "vitest";
import { taskOf, Tenures } from "../src/tenures.ts";

describe("the tenure of a task", () => {
  const never = (): number => 0;

  test("goes on over a rebalance that leaves the task with the member", () => {
    const tenures = new Tenures(never, 1);
    expect(tenures.of(1)).toBeNull();
    tenures.joined({ memberId: "a", generation: 4, tasks: [0, 1] });
    const [zero, one] = [tenures.of(0), tenures.of(1)];
    tenures.joined({ memberId: "a", generation: 5, tasks: [1, 2] });
    expect(tenures.of(1)).toBe(one);
    expect(tenures.of(0)).toBeNull();
    tenures.joined({ memberId: "a", generation: 6, tasks: [0, 1] });
    expect(tenures.of(0)).not.toBe(zero);
    expect(tenures.of(1)).toBe(one);
  });

  test("begins anew where others may have had the task: a new member, or a generation that was missed", () => {
    const tenures = new Tenures(never, 1);
    tenures.joined({ memberId: "a", generation: 4, tasks: [1] });
    const first = tenures.of(1);
    tenures.joined({ memberId: "a", generation: 6, tasks: [1] });
    const second = tenures.of(1);
    tenures.joined({ memberId: "b", generation: 7, tasks: [1] });
    expect(new Set([first, second, tenures.of(1)]).size).toBe(3);
  });

  test("ends where nothing was heard of the group for a session: the task may be another's since", () => {
    let nowMs = 0;
    const tenures = new Tenures(() => nowMs, 3000);
    tenures.joined({ memberId: "a", generation: 4, tasks: [1] });
    const tenure = tenures.of(1);
    for (nowMs = 500; nowMs <= 10_000; nowMs += 500) {
      tenures.heard();
      expect(tenures.of(1), `after ${nowMs} ms`).toBe(tenure);
    }
    nowMs = 12_500;
    expect(tenures.of(1)).toBe(tenure);
    nowMs = 12_501;
    expect(tenures.of(1)).toBeNull();
    nowMs = 14_000;
    tenures.joined({ memberId: "a", generation: 5, tasks: [1] });
    expect(tenures.of(1)).not.toBeNull();
  });

  test("does not go on by an answer that lay there while the process was stopped, but by the next one", () => {
    let nowMs = 0;
    const tenures = new Tenures(() => nowMs, 3000);
    tenures.joined({ memberId: "a", generation: 4, tasks: [1] });
    const tenure = tenures.of(1);
    nowMs = 4000;
    tenures.heard();
    expect(tenures.of(1)).toBeNull();
    nowMs = 4500;
    tenures.heard();
    expect(tenures.of(1)).toBe(tenure);
  });

  test("is found by the transactional id, whatever the group is called", () => {
    expect(taskOf("my-crawl.rate-limit-11")).toEqual({ group: "my-crawl.rate-limit", task: 11 });
  });
});
