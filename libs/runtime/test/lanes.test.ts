import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Lanes } from "../src/lanes.ts";

const one = () => 1;

function drain(lanes: Lanes<number>, widthOf: (lane: string) => number): string[] {
  const taken: string[] = [];
  for (let next = lanes.take(widthOf); next !== null; next = lanes.take(widthOf)) {
    taken.push(`${next.lane}${next.item}`);
  }
  return taken;
}

describe("lanes", () => {
  test("items of one lane start in order, one after the other is finished", () => {
    const lanes = new Lanes<number>();
    for (const item of [1, 2, 3]) lanes.push("a", item);
    expect(lanes.take(one)).toEqual({ lane: "a", item: 1 });
    expect(lanes.take(one)).toBeNull();
    lanes.finish("a");
    expect(lanes.take(one)).toEqual({ lane: "a", item: 2 });
    expect({ waiting: lanes.waiting, started: lanes.started }).toEqual({ waiting: 1, started: 1 });
  });

  test("lanes take turns, however many items one of them has", () => {
    const lanes = new Lanes<number>();
    for (let item = 0; item < 4; item++) lanes.push("a", item);
    for (let item = 0; item < 2; item++) lanes.push("b", item);
    lanes.push("c", 0);
    expect(drain(lanes, () => 10)).toEqual(["a0", "b0", "c0", "a1", "b1", "a2", "a3"]);
  });

  test("a width that shrinks holds at once, one that grows holds after refresh", () => {
    const lanes = new Lanes<number>();
    for (let item = 0; item < 6; item++) lanes.push("a", item);
    expect(drain(lanes, () => 3)).toEqual(["a0", "a1", "a2"]);
    lanes.finish("a");
    lanes.finish("a");
    expect(drain(lanes, one)).toEqual([]);
    lanes.refresh("a");
    expect(drain(lanes, () => 2)).toEqual(["a3"]);
    expect(drain(lanes, () => 4)).toEqual([]);
    lanes.refresh("a");
    expect(drain(lanes, () => 4)).toEqual(["a4", "a5"]);
  });

  test("a lane of width 0 starts nothing until it is refreshed", () => {
    const lanes = new Lanes<number>();
    lanes.push("a", 1);
    expect(lanes.take(() => 0)).toBeNull();
    lanes.refresh("a");
    expect(drain(lanes, one)).toEqual(["a1"]);
  });

  test("an undefined is an item like any other", () => {
    const lanes = new Lanes<undefined>();
    lanes.push("a", undefined);
    expect(lanes.take(one)).toEqual({ lane: "a", item: undefined });
    expect(lanes.take(one)).toBeNull();
  });

  test("10,000 lanes at their width cost a take nothing", () => {
    const lanes = new Lanes<number>();
    for (let lane = 0; lane < 10_000; lane++) {
      lanes.push(`slow${lane}`, 1);
      lanes.push(`slow${lane}`, 2);
    }
    let looks = 0;
    const first = drain(lanes, () => {
      looks++;
      return 1;
    });
    expect([first.length, looks]).toEqual([10_000, 10_000]);
    looks = 0;
    for (let item = 0; item < 100; item++) {
      lanes.push("fast", item);
      expect(
        lanes.take(() => {
          looks++;
          return 1;
        }),
      ).toEqual({ lane: "fast", item });
      lanes.finish("fast");
    }
    expect(looks).toBe(100);
  });

  test("lanes without items are forgotten", () => {
    const lanes = new Lanes<number>();
    for (let lane = 0; lane < 1000; lane++) {
      lanes.push(`host${lane}`, lane);
      lanes.take(one);
      lanes.finish(`host${lane}`);
      lanes.refresh(`host${lane}`);
    }
    expect({ size: lanes.size, waiting: lanes.waiting, started: lanes.started }).toEqual({
      size: 0,
      waiting: 0,
      started: 0,
    });
  });

  test("finishing what was never started throws", () => {
    const lanes = new Lanes<number>();
    lanes.push("a", 1);
    expect(() => lanes.finish("a")).toThrow(/lane a/);
    expect(() => lanes.finish("b")).toThrow(/lane b/);
  });

  test("no schedule breaks order, width or fairness, or leaves a startable item behind", () => {
    const names = ["a", "b", "c", "d"];
    const lane = fc.constantFrom(...names);
    const action = fc.oneof(
      { weight: 4, arbitrary: fc.record({ kind: fc.constant("push" as const), lane }) },
      { weight: 4, arbitrary: fc.record({ kind: fc.constant("take" as const) }) },
      { weight: 3, arbitrary: fc.record({ kind: fc.constant("finish" as const), lane }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant("width" as const), lane, width: fc.nat(3) }) },
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
        const lanes = new Lanes<number>();
        const widths = new Map(names.map((name) => [name, 1]));
        const waiting = new Map<string, number[]>(names.map((name) => [name, []]));
        const started = new Map(names.map((name) => [name, 0]));
        /** How often others were served while the lane could have been. */
        const passedOver = new Map(names.map((name) => [name, 0]));
        const widthOf = (name: string) => widths.get(name) ?? 0;
        const startable = (name: string) =>
          (waiting.get(name)?.length ?? 0) > 0 && (started.get(name) ?? 0) < widthOf(name);
        let item = 0;
        for (const action of actions) {
          switch (action.kind) {
            case "push":
              lanes.push(action.lane, item);
              waiting.get(action.lane)?.push(item++);
              break;
            case "take": {
              const next = lanes.take(widthOf);
              if (next === null) {
                expect(names.filter(startable)).toEqual([]);
                break;
              }
              expect(startable(next.lane)).toBe(true);
              expect(next.item).toBe(waiting.get(next.lane)?.shift());
              started.set(next.lane, (started.get(next.lane) ?? 0) + 1);
              passedOver.set(next.lane, 0);
              for (const name of names) {
                if (name === next.lane) continue;
                const passes = startable(name) ? (passedOver.get(name) ?? 0) + 1 : 0;
                passedOver.set(name, passes);
                expect(passes).toBeLessThan(names.length);
              }
              break;
            }
            case "finish":
              if ((started.get(action.lane) ?? 0) === 0) break;
              lanes.finish(action.lane);
              started.set(action.lane, (started.get(action.lane) ?? 0) - 1);
              break;
            case "width":
              widths.set(action.lane, action.width);
              lanes.refresh(action.lane);
              break;
          }
          const count = (of: (name: string) => number) => names.reduce((sum, name) => sum + of(name), 0);
          expect(lanes.waiting).toBe(count((name) => waiting.get(name)?.length ?? 0));
          expect(lanes.started).toBe(count((name) => started.get(name) ?? 0));
          expect(lanes.size).toBe(
            count((name) => Number((waiting.get(name)?.length ?? 0) + (started.get(name) ?? 0) > 0)),
          );
        }
      }),
      { numRuns: 10_000 },
    );
  });
});
