import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MemoryEntries, OrderedMap, Overlay } from "../src/index.ts";

const key = fc.stringMatching(/^[abz|]{0,4}$/);
const byCodeUnit = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** What a reader should answer, found by looking at everything. */
function firstOf(all: ReadonlyMap<string, number>, prefix: string, limit: number, after?: string) {
  return [...all]
    .filter(([each]) => each.startsWith(prefix) && (after === undefined || each > after))
    .sort(([a], [b]) => byCodeUnit(a, b))
    .slice(0, limit);
}

describe("a map in order", () => {
  test("reads like one that is sorted each time, whatever is set and deleted between", () => {
    const act = fc.oneof(
      fc.tuple(fc.constant("set" as const), key),
      fc.tuple(fc.constant("delete" as const), key),
      fc.tuple(fc.constant("read" as const), key, fc.option(key, { nil: undefined })),
    );
    fc.assert(
      fc.property(fc.array(act, { maxLength: 60 }), (acts) => {
        const map = new OrderedMap<number>();
        const model = new Map<string, number>();
        for (const [index, [kind, at, after]] of acts.entries()) {
          if (kind === "set") {
            map.set(at, index);
            model.set(at, index);
          } else if (kind === "delete") expect(map.delete(at)).toBe(model.delete(at));
          else
            expect([...map.keys(at, after)]).toEqual(
              firstOf(model, at, Number.POSITIVE_INFINITY, after).map(([each]) => each),
            );
        }
        expect(new Map(map)).toEqual(model);
      }),
    );
  });

  test("keeps its order over thousands of keys that come and go", () => {
    const map = new OrderedMap<number>();
    for (let index = 0; index < 5000; index += 1) map.set(`k${(index * 7919) % 5000}`, index);
    expect([...map.keys("")].length).toBe(5000);
    for (let index = 0; index < 5000; index += 3) map.delete(`k${index}`);
    for (let index = 0; index < 5000; index += 6) map.set(`k${index}`, index);
    const keys = [...map.keys("k1")];
    expect(keys).toEqual(
      [...map]
        .map(([each]) => each)
        .filter((each) => each.startsWith("k1"))
        .sort(byCodeUnit),
    );
  });
});

describe("changes over entries", () => {
  test("read as if they were applied, layer upon layer, at any limit and from any key on", () => {
    const value = fc.option(fc.nat(9));
    const layer = fc.array(fc.tuple(key, value), { maxLength: 12 });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(key, fc.nat(9)), { maxLength: 12 }),
        layer,
        layer,
        key,
        fc.integer({ min: 1, max: 6 }),
        fc.option(key, { nil: undefined }),
        (stored, lower, upper, prefix, limit, after) => {
          const base = new MemoryEntries<number>();
          const model = new Map<string, number>();
          for (const [each, number] of stored) {
            base.map.set(each, number);
            model.set(each, number);
          }
          const below = new Overlay<number>(base);
          const above = new Overlay<number>(below);
          for (const [changes, overlay] of [
            [lower, below],
            [upper, above],
          ] as const)
            for (const [each, number] of changes) {
              overlay.put(each, number);
              if (number === null) model.delete(each);
              else model.set(each, number);
            }
          expect(above.first(prefix, limit, after)).toEqual(firstOf(model, prefix, limit, after));
          expect(above.get(prefix)).toBe(model.get(prefix));
        },
      ),
      { numRuns: 500 },
    );
  });
});
