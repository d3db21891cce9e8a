import { describe, expect, test } from "vitest";
import { taskOf, Tenures } from "../src/tenures.ts";

describe("the tenure of a task", () => {
  test("goes on over a rebalance that leaves the task with the member", () => {
    const tenures = new Tenures();
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
    const tenures = new Tenures();
    tenures.joined({ memberId: "a", generation: 4, tasks: [1] });
    const first = tenures.of(1);
    tenures.joined({ memberId: "a", generation: 6, tasks: [1] });
    const second = tenures.of(1);
    tenures.joined({ memberId: "b", generation: 7, tasks: [1] });
    expect(new Set([first, second, tenures.of(1)]).size).toBe(3);
  });

  test("is found by the transactional id, whatever the group is called", () => {
    expect(taskOf("my-crawl.rate-limit-11")).toEqual({ group: "my-crawl.rate-limit", task: 11 });
  });
});
