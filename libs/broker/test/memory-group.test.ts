import { expect, it } from "vitest";
import { Availability } from "../src/memory/availability.ts";
import { FakeClock, seededRandom, Trace } from "../src/memory.ts";
import { Group } from "../src/memory/group.ts";

function newGroup() {
  const clock = new FakeClock(0);
  const availability = new Availability();
  const group = new Group("g", { clock, availability, random: seededRandom(1), trace: new Trace(clock) });
  const join = (memberId: string | null) =>
    group.join({
      memberId,
      clientName: "c",
      sessionTimeoutMs: 6_000,
      rebalanceTimeoutMs: 9_000,
      claim: null,
    });
  return { clock, availability, group, join };
}

it("refuses who is unknown, who is of an older generation, and tells who has to join again", async () => {
  const { group, join } = newGroup();
  expect(() => group.heartbeat("nobody", 1)).toThrow("UNKNOWN_MEMBER_ID");
  const a = await join(null);
  group.heartbeat(a.memberId, a.generation);
  const joining = join(null);
  expect(() => group.heartbeat(a.memberId, a.generation)).toThrow("REBALANCE_IN_PROGRESS");
  expect(() => group.sync(a.memberId, a.generation, null)).toThrow("REBALANCE_IN_PROGRESS");
  const again = await join(a.memberId);
  const b = await joining;
  expect([again.generation, b.generation]).toEqual([a.generation + 1, a.generation + 1]);
  expect(() => group.heartbeat(a.memberId, a.generation)).toThrow("ILLEGAL_GENERATION");
  expect(() => group.sync(a.memberId, a.generation, null)).toThrow("ILLEGAL_GENERATION");
  group.heartbeat(b.memberId, b.generation);
});

it("tells the members to the leader alone, and hands out what the leader brings", async () => {
  const { group, join } = newGroup();
  const a = await join(null);
  const joining = join(null);
  const leader = await join(a.memberId);
  const follower = await joining;
  expect(leader.members?.map(({ memberId }) => memberId)).toEqual([leader.memberId, follower.memberId]);
  expect(follower.members).toBeNull();
  const waiting = group.sync(follower.memberId, follower.generation, null);
  const assignment = new Map([
    [leader.memberId, [0]],
    [follower.memberId, [1, 2]],
  ]);
  expect(await group.sync(leader.memberId, leader.generation, assignment)).toEqual([0]);
  expect(await waiting).toEqual([1, 2]);
});

it("goes on without members that do not join again in time, also over an outage", async () => {
  for (const outage of [false, true]) {
    const { clock, availability, group, join } = newGroup();
    const a = await join(null);
    const joining = join(null);
    if (outage) {
      availability.down();
      await clock.advance(20_000);
      group.restart();
      availability.restore();
    }
    // The other one beats its heart and yet does not join: only the rebalance's own limit ends that.
    let joined = false;
    void (async () => {
      await joining;
      joined = true;
    })();
    for (let beat = 0; beat < 8; beat++) {
      expect(() => group.heartbeat(a.memberId, a.generation)).toThrow("REBALANCE_IN_PROGRESS");
      await clock.advance(1_000);
    }
    expect(joined).toBe(false);
    await clock.advance(1_500);
    expect(joined).toBe(true);
    expect(group.memberIds).toEqual([(await joining).memberId]);
  }
});

it("times nobody out while the broker is away, and gives full sessions afterwards", async () => {
  const { clock, availability, group, join } = newGroup();
  const a = await join(null);
  availability.down();
  await clock.advance(60_000);
  expect(group.memberIds).toEqual([a.memberId]);
  group.restart();
  availability.restore();
  await clock.advance(5_900);
  expect(group.memberIds).toEqual([a.memberId]);
  await clock.advance(200);
  expect(group.memberIds).toEqual([]);
});
