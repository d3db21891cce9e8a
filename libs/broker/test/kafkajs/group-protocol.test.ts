import type { MemberClaim } from "@sluice/runtime";
import kafkajs from "kafkajs";
import { describe, expect, test } from "vitest";
import { assignMembers, decodeClaim, encodeClaim } from "../../src/kafkajs/group-protocol.ts";
import type { AssignmentOptions } from "../../src/kafkajs/group-protocol.ts";

const { MemberAssignment, MemberMetadata } = kafkajs.AssignerProtocol;
const claim: MemberClaim = {
  instance: "frontier-0",
  owned: [1, 2],
  onDisk: [2],
  heardAtMs: 1_700_000_000_000,
};

describe("a claim", () => {
  test("comes back as it was sent", () => {
    expect(decodeClaim(encodeClaim(["a"], claim))).toEqual(claim);
  });

  test("of another version, of another shape, or that is no claim at all counts as none", () => {
    const foreign = [
      JSON.stringify({ version: 2, claim }),
      JSON.stringify({ version: 1, claim: { instance: 7 } }),
      JSON.stringify({ version: 1 }),
      "null",
      "not json",
      "",
    ];
    for (const text of foreign) {
      const metadata = MemberMetadata.encode({ version: 1, topics: ["a"], userData: Buffer.from(text) });
      expect(decodeClaim(metadata)).toBeNull();
    }
    expect(decodeClaim(Buffer.from([0]))).toBeNull();
  });
});

describe("an assignment", () => {
  const members = ["m2", "m1"].map((memberId) => ({ memberId, memberMetadata: encodeClaim(["in"], claim) }));
  const options: AssignmentOptions = {
    inputs: ["in", "also"],
    changelog: "state",
    tables: ["jobs"],
    tasks: 3,
    claim: () => claim,
    assign: () =>
      new Map([
        ["m1", [2, 0]],
        ["m2", [1]],
      ]),
  };
  const decoded = (given: AssignmentOptions) =>
    new Map(
      assignMembers(members, given, () => [0, 1]).map(({ memberId, memberAssignment }) => [
        memberId,
        MemberAssignment.decode(memberAssignment)?.assignment,
      ]),
    );

  test("gives a task's partition of every input and the changelog to its owner, and tables to all", () => {
    expect(Object.fromEntries(decoded(options))).toEqual({
      m1: { in: [0, 2], also: [0, 2], state: [0, 2], jobs: [0, 1] },
      m2: { in: [1], also: [1], state: [1], jobs: [0, 1] },
    });
  });

  test("leaves a member without tasks its tables", () => {
    const assign = () => new Map([["m1", [0, 1, 2]]]);
    expect(decoded({ ...options, assign }).get("m2")).toEqual({ jobs: [0, 1] });
  });

  test("asks with the members in the same order whoever leads", () => {
    const asked: string[][] = [];
    const assign: AssignmentOptions["assign"] = (given, tasks) => {
      asked.push(given.map(({ memberId }) => memberId));
      return options.assign(given, tasks);
    };
    assignMembers(members, { ...options, assign }, () => []);
    assignMembers(members.toReversed(), { ...options, assign }, () => []);
    expect(asked).toEqual([
      ["m1", "m2"],
      ["m1", "m2"],
    ]);
  });

  test("that leaves a task out, or gives it twice, fails", () => {
    for (const tasks of [
      [0, 1],
      [0, 1, 1, 2],
      [0, 1, 3],
    ]) {
      expect(() => decoded({ ...options, assign: () => new Map([["m1", tasks]]) })).toThrow("not every task");
    }
  });
});
