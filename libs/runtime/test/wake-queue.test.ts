import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { WakeQueue } from "../src/wake-queue.ts";

describe("wake queue", () => {
  test("wakes keys at their time, earliest first, and those of one time in the order they were set", () => {
    const wakes = new WakeQueue();
    wakes.set("late", 30);
    wakes.set("b", 10);
    wakes.set("a", 10);
    expect(wakes.nextAtMs).toBe(10);
    expect(wakes.due(9)).toBeNull();
    expect([wakes.due(10), wakes.due(10), wakes.due(10)]).toEqual(["b", "a", null]);
    expect(wakes.nextAtMs).toBe(30);
    expect(wakes.due(1000)).toBe("late");
    expect(wakes.nextAtMs).toBeNull();
  });

  test("of several wakes for a key the earliest wins, and the key is woken once", () => {
    const wakes = new WakeQueue();
    wakes.set("a", 20);
    wakes.set("a", 10);
    wakes.set("a", 30);
    expect(wakes.size).toBe(1);
    expect(wakes.nextAtMs).toBe(10);
    expect(wakes.due(50)).toBe("a");
    expect(wakes.due(50)).toBeNull();
  });

  test("a deleted key is not woken and may be set anew, to a later time too", () => {
    const wakes = new WakeQueue();
    wakes.set("a", 10);
    expect(wakes.delete("a")).toBe(true);
    expect(wakes.delete("a")).toBe(false);
    expect(wakes.nextAtMs).toBeNull();
    wakes.set("a", 20);
    expect(wakes.due(15)).toBeNull();
    expect(wakes.due(20)).toBe("a");
  });

  test("a time that is no number throws", () => {
    expect(() => new WakeQueue().set("a", Number.NaN)).toThrow(RangeError);
  });

  test("neither moving nor deleting keys a million times makes it grow", () => {
    const wakes = new WakeQueue();
    for (let round = 0; round < 500_000; round++) {
      wakes.set(`moved${round % 10}`, 1e9 - round);
      wakes.set("deleted", 2e9);
      wakes.delete("deleted");
      if (wakes.heapSize > 64) throw new Error(`${wakes.heapSize} entries for ${wakes.size} keys`);
    }
    expect(wakes.size).toBe(10);
  });

  test("keys that were moved forward again and again come out in the order of their last time", () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(1000), { minLength: 30, maxLength: 60 }),
        fc.integer({ min: 1, max: 6 }),
        (times, moves) => {
          const wakes = new WakeQueue();
          for (let move = moves; move >= 0; move--) {
            for (const [key, atMs] of times.entries()) wakes.set(String(key), atMs + move * 1000 * (key % 3));
          }
          const woken: number[] = [];
          for (let key = wakes.due(1e9); key !== null; key = wakes.due(1e9))
            woken.push(times[Number(key)] ?? -1);
          expect(woken).toEqual([...times].sort((a, b) => a - b));
        },
      ),
      { numRuns: 1000 },
    );
  });

  test("behaves as a sorted list does, whatever the schedule", () => {
    const key = fc.constantFrom("a", "b", "c", "d", "e", "f");
    const action = fc.oneof(
      { weight: 4, arbitrary: fc.record({ kind: fc.constant("set" as const), key, atMs: fc.nat(50) }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant("due" as const), nowMs: fc.nat(50) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant("delete" as const), key }) },
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 100 }), (actions) => {
        const wakes = new WakeQueue();
        let model: { key: string; atMs: number }[] = [];
        for (const action of actions) {
          switch (action.kind) {
            case "set": {
              wakes.set(action.key, action.atMs);
              const before = model.find(({ key }) => key === action.key);
              if (before !== undefined && before.atMs <= action.atMs) break;
              model = model.filter(({ key }) => key !== action.key);
              model.push({ key: action.key, atMs: action.atMs });
              model.sort((a, b) => a.atMs - b.atMs);
              break;
            }
            case "due": {
              const first = model[0];
              const due = first !== undefined && first.atMs <= action.nowMs ? first.key : null;
              expect(wakes.due(action.nowMs)).toBe(due);
              if (due !== null) model.shift();
              break;
            }
            case "delete":
              expect(wakes.delete(action.key)).toBe(model.some(({ key }) => key === action.key));
              model = model.filter(({ key }) => key !== action.key);
              break;
          }
          expect(wakes.size).toBe(model.length);
          expect(wakes.heapSize).toBeLessThanOrEqual(2 * model.length + 16);
          expect(wakes.nextAtMs).toBe(model[0]?.atMs ?? null);
        }
      }),
      { numRuns: 10_000 },
    );
  });
});
