import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { assignTasks } from "../src/assignment.ts";
import type { MemberClaim } from "../src/broker.ts";

type Member = Parameters<typeof assignTasks>[0][number];

function member(memberId: string, claim: Partial<MemberClaim> | null = {}): Member {
  if (claim === null) return { memberId, claim };
  return { memberId, claim: { instance: memberId, owned: [], onDisk: [], heardAtMs: 0, ...claim } };
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index);

/** The members as they claim after an assignment. */
function settle(assignment: ReadonlyMap<string, readonly number[]>): Member[] {
  return [...assignment].map(([memberId, owned]) => member(memberId, { owned, onDisk: owned }));
}

/** How many tasks of `before` are with someone else in `after`. */
function moved(
  before: ReadonlyMap<string, readonly number[]>,
  after: ReadonlyMap<string, readonly number[]>,
): number {
  let count = 0;
  for (const [memberId, tasks] of before) {
    count += tasks.filter((task) => !(after.get(memberId) ?? []).includes(task)).length;
  }
  return count;
}

/** The most tasks that can stay if loads differ by at most 1: every choice of who gets one more is tried. */
function mostStaying(owned: readonly number[], tasks: number): number {
  const share = Math.floor(tasks / owned.length);
  let best = 0;
  for (let chosen = 0; chosen < 1 << owned.length; chosen++) {
    const extra = (index: number) => (chosen >> index) & 1;
    if (owned.reduce((sum, _, index) => sum + extra(index), 0) !== tasks % owned.length) continue;
    const staying = owned.reduce((sum, count, index) => sum + Math.min(count, share + extra(index)), 0);
    best = Math.max(best, staying);
  }
  return best;
}

function expectBalanced(assignment: ReadonlyMap<string, readonly number[]>, tasks: number): void {
  const loads = [...assignment.values()].map((given) => given.length);
  expect(Math.max(...loads) - Math.min(...loads)).toBeLessThanOrEqual(1);
  expect([...assignment.values()].flat().sort((a, b) => a - b)).toEqual(range(0, tasks));
}

describe("assignment", () => {
  test("without members there is nothing to assign, and members without tasks get none", () => {
    expect(assignTasks([], 12)).toEqual(new Map());
    expect(assignTasks([member("a"), member("b", null)], 0)).toEqual(
      new Map([
        ["a", []],
        ["b", []],
      ]),
    );
  });

  test("a first assignment goes round by name", () => {
    expect(assignTasks([member("b"), member("a"), member("c")], 7)).toEqual(
      new Map([
        ["a", [0, 3, 6]],
        ["b", [1, 4]],
        ["c", [2, 5]],
      ]),
    );
  });

  test("of two that claim a task, the one that heard last from the group keeps it", () => {
    const zombie = member("a", { owned: [0, 1], onDisk: [0, 1], heardAtMs: 10 });
    const owner = member("b", { owned: [0, 1], onDisk: [], heardAtMs: 20 });
    expect(assignTasks([zombie, owner, member("c")], 3).get("b")).toHaveLength(1);
    expect(assignTasks([zombie, owner], 4).get("b")).toEqual([0, 1]);
    expect(
      assignTasks([{ ...zombie, claim: { ...owner.claim, heardAtMs: 30 } as MemberClaim }, owner], 4).get(
        "a",
      ),
    ).toEqual([0, 1]);
  });

  test("an instance that restarts under a new member id gets the tasks on its disk back", () => {
    const restarted = member("new-id", { instance: "i2", onDisk: [2, 3] });
    const others = [
      member("x", { instance: "i1", owned: [0, 1], onDisk: [0, 1] }),
      member("y", { instance: "i3" }),
    ];
    expect(assignTasks([...others, restarted], 6).get("new-id")).toEqual([2, 3]);
  });

  test("who has to give tasks up gives those whose state the receiver has on disk", () => {
    const all = member("a", { owned: range(0, 8), onDisk: range(0, 8) });
    const back = member("b", { onDisk: [1, 2, 5, 6] });
    expect(assignTasks([all, back], 8)).toEqual(
      new Map([
        ["a", [0, 3, 4, 7]],
        ["b", [1, 2, 5, 6]],
      ]),
    );
  });

  test("who has to give tasks up keeps those whose state it has on disk itself", () => {
    const all = member("a", { owned: [0, 1, 2, 3], onDisk: [2, 3] });
    expect(assignTasks([all, member("b")], 4).get("a")).toEqual([2, 3]);
  });

  test("a task on several disks leaves room for one that is on a single disk", () => {
    const a = member("a", { onDisk: [0, 1] });
    const b = member("b", { onDisk: [0] });
    expect(assignTasks([a, b], 2)).toEqual(
      new Map([
        ["a", [1]],
        ["b", [0]],
      ]),
    );
  });

  test("after the whole group restarts, every task goes back to its disk", () => {
    const before = assignTasks([member("a"), member("b"), member("c")], 11);
    const after = assignTasks(
      [...before].map(([instance, onDisk]) => member(`new-${instance}`, { instance, onDisk })),
      11,
    );
    for (const [instance, tasks] of before) expect(after.get(`new-${instance}`)).toEqual(tasks);
  });

  test("claims of tasks that do not exist are ignored", () => {
    const odd = member("a", { owned: [-1, 1.5, 99, Number.NaN, 1, 1], onDisk: [-7, 400] });
    const assignment = assignTasks([odd, member("b")], 4);
    expectBalanced(assignment, 4);
    expect(assignment.get("a")).toContain(1);
  });

  const tasksOf = fc.uniqueArray(fc.integer({ min: -1, max: 20 }), { maxLength: 20 });
  const claim = fc.option(
    fc.record({
      instance: fc.constantFrom("i1", "i2", "i3", "i4", "i5"),
      owned: tasksOf,
      onDisk: tasksOf,
      heardAtMs: fc.nat(3),
    }),
    { freq: 5 },
  );
  const members = fc
    .array(claim, { minLength: 1, maxLength: 7 })
    .map((claims) => claims.map((claim, index): Member => ({ memberId: `m${index}`, claim })));

  test("whatever is claimed, it is complete, balanced, and moves no more than balance demands", () => {
    fc.assert(
      fc.property(members, fc.nat(20), (members, tasks) => {
        const assignment = assignTasks(members, tasks);
        expect([...assignment.keys()].sort()).toEqual(members.map(({ memberId }) => memberId).sort());
        expectBalanced(assignment, tasks);

        const owners = range(0, tasks).map((task) => {
          const claims = members.filter(({ claim }) => claim?.owned.includes(task) === true);
          const latest = Math.max(...claims.map(({ claim }) => claim?.heardAtMs ?? 0));
          return claims
            .filter(({ claim }) => claim?.heardAtMs === latest)
            .sort((a, b) => {
              const [one, other] = [a, b].map(({ memberId, claim }) => `${claim?.instance}/${memberId}`);
              return (one ?? "") < (other ?? "") ? -1 : 1;
            })[0]?.memberId;
        });
        const owned = members.map(({ memberId }) => owners.filter((owner) => owner === memberId).length);
        const staying = owners.filter(
          (owner, task) => owner !== undefined && assignment.get(owner)?.includes(task) === true,
        ).length;
        expect(staying).toBe(mostStaying(owned, tasks));
      }),
      { numRuns: 5000 },
    );
  });

  test("the order in which members are listed does not matter", () => {
    const shuffled = members.chain((members) =>
      fc.tuple(fc.constant(members), fc.shuffledSubarray(members, { minLength: members.length })),
    );
    fc.assert(
      fc.property(shuffled, fc.nat(20), ([members, others], tasks) => {
        expect(assignTasks(others, tasks)).toEqual(assignTasks(members, tasks));
      }),
      { numRuns: 3000 },
    );
  });

  test("one that joins takes its share and nothing else moves; one that leaves moves only what it had", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), fc.nat(60), fc.nat(), (count, tasks, pick) => {
        const before = assignTasks(
          range(0, count).map((index) => member(`m${index}`)),
          tasks,
        );
        const joined = assignTasks([...settle(before), member("late")], tasks);
        expectBalanced(joined, tasks);
        expect(moved(before, joined)).toBe(joined.get("late")?.length);

        const left = settle(joined)[pick % (count + 1)]?.memberId ?? "";
        const after = assignTasks(
          settle(joined).filter(({ memberId }) => memberId !== left),
          tasks,
        );
        expectBalanced(after, tasks);
        expect(moved(joined, after)).toBe(joined.get(left)?.length);

        expect(assignTasks(settle(after), tasks)).toEqual(after);
      }),
      { numRuns: 1000 },
    );
  });
});
