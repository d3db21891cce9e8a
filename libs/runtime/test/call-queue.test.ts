import * as fc from "fast-check";
import type { Promptness } from "@sluice/topology";
import { describe, expect, test } from "vitest";
import { CallQueue, type QueuedCall } from "../src/call-queue.ts";

const call = (
  callId: string,
  task = 0,
  epoch = 1,
  promptness: Promptness = "unknown",
): QueuedCall<string> => ({
  task,
  epoch,
  lane: "l",
  callId,
  request: callId,
  promptness,
  controller: new AbortController(),
});

describe("the queue of calls", () => {
  test("behaves as a plain list does, under any schedule", () => {
    const command = fc.oneof(
      fc.record({ kind: fc.constant("push" as const), task: fc.nat(2) }),
      fc.record({ kind: fc.constant("begin" as const) }),
      fc.record({ kind: fc.constant("end" as const), at: fc.nat(9) }),
      fc.record({ kind: fc.constant("abort" as const), at: fc.nat(200) }),
      fc.record({ kind: fc.constant("drop" as const), task: fc.nat(2) }),
    );
    fc.assert(
      fc.property(
        fc.array(command, { maxLength: 400 }),
        fc.integer({ min: 1, max: 5 }),
        (commands, slots) => {
          const queue = new CallQueue<string>(slots);
          let waiting: QueuedCall<string>[] = [];
          const running: QueuedCall<string>[] = [];
          let ids = 0;
          for (const each of commands) {
            if (each.kind === "push") {
              const pushed = call(`c${(ids += 1)}`, each.task);
              queue.push(pushed);
              waiting.push(pushed);
            } else if (each.kind === "begin") {
              const expected = running.length < slots ? (waiting.shift() ?? null) : null;
              expect(queue.begin(0)).toBe(expected);
              if (expected !== null) running.push(expected);
            } else if (each.kind === "end") {
              const [ended] = running.splice(each.at % Math.max(1, running.length), 1);
              if (ended !== undefined) queue.end(ended);
            } else if (each.kind === "abort") {
              const target = [...waiting, ...running][each.at % Math.max(1, waiting.length + running.length)];
              if (target === undefined) continue;
              const isWaiting = waiting.includes(target);
              expect(queue.abort(target.task, target.epoch, target.callId)).toBe(isWaiting ? target : null);
              waiting = waiting.filter((other) => other !== target);
              expect(target.controller.signal.aborted).toBe(!isWaiting);
            } else {
              const mine = running.filter(({ task }) => task === each.task);
              expect(queue.abortTask(each.task, 1)).toBe(mine.length);
              expect(mine.every(({ controller }) => controller.signal.aborted)).toBe(true);
              waiting = waiting.filter(({ task }) => task !== each.task);
            }
            expect([queue.waiting, queue.running]).toEqual([waiting.length, running.length]);
          }
        },
      ),
    );
  });

  test("knows calls of the same name of different epochs apart", () => {
    const queue = new CallQueue<string>(10);
    const [old, fresh] = [call("c", 0, 1), call("c", 0, 2)];
    for (const each of [old, fresh]) queue.push(each);
    for (let each = 0; each < 2; each += 1) queue.begin(0);
    queue.abortTask(0, 1);
    expect([old, fresh].map(({ controller }) => controller.signal.aborted)).toEqual([true, false]);
    queue.end(old);
    expect(queue.running).toBe(1);
  });

  test("takes out a hundred thousand without moving the rest each time", () => {
    const queue = new CallQueue<string>(1);
    for (let each = 0; each < 100_000; each += 1) queue.push(call(String(each)));
    for (let each = 0; each < 100_000; each += 1) {
      const begun = queue.begin(0);
      expect(begun?.callId).toBe(String(each));
      if (begun !== null) queue.end(begun);
    }
    expect(queue.waiting).toBe(0);
  });

  test("a call that has run for long gives its slot back, up to so many, and says when it will", () => {
    const queue = new CallQueue<string>(2, { afterMs: 1000, unknownAfterMs: 100, max: 3 });
    const begun = (nowMs: number): (string | undefined)[] => {
      const ids: (string | undefined)[] = [];
      for (let next = queue.begin(nowMs); next !== null; next = queue.begin(nowMs)) ids.push(next.callId);
      return ids;
    };
    const calls = Array.from({ length: 9 }, (_, n) => call(`c${n}`, 0, 1, "prompt"));
    for (const each of calls) queue.push(each);
    expect(begun(0)).toEqual(["c0", "c1"]);
    expect([queue.freeAtMs, begun(999)]).toEqual([1000, []]);
    expect(begun(1000)).toEqual(["c2", "c3"]);
    expect([queue.running, queue.slow, queue.freeAtMs]).toEqual([4, 2, 2000]);
    // One more gives its slot back; then as many have done so as may.
    expect(begun(2000)).toEqual(["c4"]);
    expect([queue.running, queue.slow, queue.freeAtMs, begun(9000)]).toEqual([5, 3, null, []]);
    if (calls[0] !== undefined) queue.end(calls[0]);
    expect([queue.running, queue.slow]).toEqual([4, 2]);
    expect(begun(9000)).toEqual(["c5"]);
    expect(queue.abortTask(0, 1)).toBe(5);
  });

  const begunOf = (queue: CallQueue<string>, nowMs: number): string[] => {
    const ids: string[] = [];
    for (let next = queue.begin(nowMs); next !== null; next = queue.begin(nowMs)) ids.push(next.callId);
    return ids;
  };

  test("prompt lanes and unknown ones take turns at the slots, whoever came first", () => {
    const queue = new CallQueue<string>(4, { afterMs: 1000, unknownAfterMs: 100, max: 10 });
    for (let n = 0; n < 50; n += 1) queue.push(call(`new${n}`));
    expect(begunOf(queue, 0)).toEqual(["new0", "new1", "new2", "new3"]);
    for (let n = 0; n < 3; n += 1) queue.push(call(`known${n}`, 0, 1, "prompt"));
    expect(queue.freeAtMs).toBe(100);
    expect(begunOf(queue, 100)).toEqual(["known0", "new4", "known1", "new5"]);
    // A prompt one keeps its slot for longer: two are given back, not four.
    expect(begunOf(queue, 200)).toEqual(["known2", "new6"]);
    expect([queue.running, queue.slow, queue.waiting]).toEqual([10, 6, 43]);
  });

  test("lanes known as slow take no slot, and wait where as many run without one as may", () => {
    const queue = new CallQueue<string>(1, { afterMs: 1000, unknownAfterMs: 100, max: 2 });
    const slow = Array.from({ length: 3 }, (_, n) => call(`slow${n}`, 0, 1, "slow"));
    for (const each of slow) queue.push(each);
    queue.push(call("known", 0, 1, "prompt"));
    expect(begunOf(queue, 0)).toEqual(["slow0", "slow1", "known"]);
    expect([queue.running, queue.slow, queue.waiting, queue.freeAtMs]).toEqual([3, 2, 1, null]);
    if (slow[0] !== undefined) queue.end(slow[0]);
    expect(begunOf(queue, 0)).toEqual(["slow2"]);
    expect(queue.abort(0, 1, "slow2")).toBe(null);
    expect(slow[2]?.controller.signal.aborted).toBe(true);
  });

  test("once no slot can be given back, unknown lanes leave half of the slots to those that are prompt", () => {
    const queue = new CallQueue<string>(4, { afterMs: 1000, unknownAfterMs: 100, max: 2 });
    for (let n = 0; n < 50; n += 1) queue.push(call(`new${n}`));
    expect(begunOf(queue, 0)).toHaveLength(4);
    // Two give their slots back, and that is all that may.
    expect(begunOf(queue, 100)).toEqual([]);
    expect(begunOf(queue, 9000)).toEqual([]);
    for (let n = 0; n < 5; n += 1) queue.push(call(`known${n}`, 0, 1, "prompt"));
    expect(begunOf(queue, 9000)).toEqual(["known0", "known1"]);
    expect([queue.running, queue.slow]).toEqual([6, 2]);
  });

  test("without calls that need no slot all stand in one line", () => {
    const queue = new CallQueue<string>(2);
    for (const promptness of ["slow", "prompt", "unknown"] as const)
      queue.push(call(promptness, 0, 1, promptness));
    expect(begunOf(queue, 0)).toEqual(["slow", "prompt"]);
  });
});
