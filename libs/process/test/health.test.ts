import { FakeClock, memoryBroker, serviceClock } from "@sluice/broker/memory";
import type { Figures } from "@sluice/runtime";
import { describe, expect, test } from "vitest";
import { Liveness } from "../src/liveness.ts";
import { readinessChecks } from "../src/readiness.ts";

function watched() {
  const clock = new FakeClock();
  const client = memoryBroker({ clock, seed: 1 }).connect("test");
  const loop = { turns: 0, isDue: false };
  const stuck: number[] = [];
  const liveness = new Liveness({
    loop,
    clock: serviceClock(client.clock),
    onStuck: (seconds) => stuck.push(seconds),
  });
  liveness.start();
  return { clock, loop, liveness, stuck };
}

describe("liveness", () => {
  test("is lost when the loop has work and does not turn for 30 seconds, and told once", async () => {
    const { clock, loop, liveness, stuck } = watched();
    loop.isDue = true;
    await clock.advance(28_000);
    expect(liveness.alive).toBe(true);
    await clock.advance(5000);
    expect(liveness.alive).toBe(false);
    await clock.advance(60_000);
    expect(stuck).toEqual([30]);
  });

  test("stays as long as there is no work: no broker, a long restore, a slow call", async () => {
    const { clock, liveness } = watched();
    await clock.advance(3_600_000);
    expect(liveness.alive).toBe(true);
  });

  test("stays as long as the loop turns, however much is left to do", async () => {
    const { clock, loop, liveness } = watched();
    loop.isDue = true;
    for (let second = 0; second < 120; second += 1) {
      await clock.advance(1000);
      loop.turns += 1;
    }
    expect(liveness.alive).toBe(true);
  });

  test("comes back with a turn: a pause that ended is no reason to be killed", async () => {
    const { clock, loop, liveness } = watched();
    loop.isDue = true;
    await clock.advance(40_000);
    loop.turns += 1;
    await clock.advance(1500);
    expect(liveness.alive).toBe(true);
  });

  test("survives a process that was stopped for an hour: only looks that were made count", () => {
    // The timer of a stopped process fires once when it goes on, not once a second of the hour.
    const timers: (() => void)[] = [];
    const loop = { turns: 0, isDue: true };
    const clock = { after: (_: number, task: () => void) => (timers.push(task), () => undefined) };
    const liveness = new Liveness({ loop, clock, onStuck: () => undefined });
    liveness.start();
    timers.shift()?.();
    timers.shift()?.();
    expect(liveness.alive).toBe(true);
    liveness.stop();
  });
});

const figures: Figures = {
  inputs: [],
  oldestUnfinishedMs: null,
  unpersistedBytes: 0,
  checkpointAgeMs: 4000,
  stateEntries: 0,
  restore: { read: 0, target: 0 },
  pausedMs: new Map(),
  tasks: { all: 12, running: 12 },
  heartbeatAgeMs: 250,
  heardLately: true,
  draining: false,
};
const service = (changes: Partial<Figures> = {}, joinedOnce = true, tablesReady = true) => ({
  figures: () => ({ ...figures, ...changes }),
  phases: () => new Map([["running", 12]]),
  joinedOnce,
  tablesReady,
});
const failing = (checks: ReturnType<typeof readinessChecks>): readonly string[] =>
  Object.entries(checks).flatMap(([name, { ok, detail }]) => (ok ? [] : [`${name}: ${detail}`]));

describe("readiness", () => {
  test("holds when the group answers, all is read and every task runs", () => {
    expect(failing(readinessChecks(service()))).toEqual([]);
    // More instances than tasks: one without any is ready to take over.
    expect(failing(readinessChecks(service({ tasks: { all: 0, running: 0 } })))).toEqual([]);
  });

  test("says when state was last written to the disk, and nothing of it where none is kept there", () => {
    expect(readinessChecks(service({ checkpointAgeMs: 29_000 }))["tasks"]?.detail).toBe(
      "12 of 12 run (12 running); checkpoint 29 s ago",
    );
    expect(readinessChecks(service({ checkpointAgeMs: null }))["tasks"]?.detail).not.toContain("checkpoint");
  });

  test("names what is missing before the first join", () => {
    const checks = readinessChecks(
      service({ heardLately: false, heartbeatAgeMs: null, tasks: { all: 0, running: 0 } }, false, false),
    );
    expect(failing(checks)).toEqual([
      "broker: the group answered never",
      "joined: not yet",
      "tables: not read to their ends",
    ]);
  });

  test("tells how far a restore is", () => {
    const checks = readinessChecks(
      service({ tasks: { all: 12, running: 7 }, restore: { read: 1200, target: 5000 } }),
    );
    expect(failing(checks)).toEqual([
      "tasks: 7 of 12 run (12 running); changelog 1200 of 5000; checkpoint 4 s ago",
    ]);
  });

  test("tells how long ago the state that was left longest was kept", () => {
    const detailOf = (checkpointAgeMs: number | null): string | undefined =>
      readinessChecks(service({ checkpointAgeMs }))["tasks"]?.detail;
    expect(detailOf(29_600)).toBe("12 of 12 run (12 running); checkpoint 30 s ago");
    expect(detailOf(null)).toBe("12 of 12 run (12 running)");
  });

  test("is lost with the broker's answers and while draining", () => {
    expect(failing(readinessChecks(service({ heardLately: false, heartbeatAgeMs: 9000 })))).toEqual([
      "broker: the group answered 9.0 s ago",
    ]);
    expect(failing(readinessChecks(service({ draining: true })))).toEqual(["draining: yes"]);
  });
});
