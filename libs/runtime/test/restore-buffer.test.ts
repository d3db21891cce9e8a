import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RestoreBuffer } from "../src/restore-buffer.ts";
import { memoryStores } from "../src/store.ts";

const batches = fc.array(
  fc.array(fc.tuple(fc.constantFrom("a", "b", "c", "d", "e"), fc.option(fc.string()))),
);

describe("what is restored of a changelog", () => {
  test("is in the store, after a flush, as if each batch had been applied as it came", () => {
    fc.assert(
      fc.property(batches, fc.nat(5), (changelog, every) => {
        const plain = memoryStores().open(0, 0);
        const store = memoryStores().open(0, 0);
        const buffer = new RestoreBuffer(store);
        changelog.forEach((batch, index) => {
          plain.apply(batch, index + 1);
          buffer.add(batch, index + 1);
          if (index % (every + 1) === 0) buffer.flush();
        });
        buffer.flush();
        expect([...store.all("")]).toEqual([...plain.all("")]);
        expect(store.nextOffset).toBe(plain.nextOffset);
      }),
    );
  });

  test("goes into the store by key, and of each key only the last word", () => {
    const store = memoryStores().open(0, 0);
    const applied: unknown[] = [];
    store.apply = (changes) => void applied.push(...changes);
    const buffer = new RestoreBuffer(store);
    buffer.add(
      [
        ["b", "1"],
        ["a", "1"],
        ["b", "2"],
      ],
      3,
    );
    buffer.add([["a", null]], 4);
    buffer.flush();
    expect(applied).toEqual([
      ["a", null],
      ["b", "2"],
    ]);
  });

  test("goes into the store by itself beyond a number of changes, or of characters", () => {
    const store = memoryStores().open(0, 0);
    const buffer = new RestoreBuffer(store);
    const some = (from: number, count: number): [string, string][] =>
      Array.from({ length: count }, (_, index) => [`k${from + index}`, "v"]);
    buffer.add(some(0, 15_000), 15_000);
    expect([store.size, store.nextOffset]).toEqual([0, 0]);
    buffer.add(some(15_000, 15_000), 30_000);
    expect([store.size, store.nextOffset]).toEqual([30_000, 30_000]);
    buffer.add([["long", "x".repeat(9_000_000)]], 30_001);
    expect(store.nextOffset).toBe(30_001);
    // A batch of nothing but markers moves the offset, too.
    buffer.add([], 30_005);
    buffer.flush();
    expect(store.nextOffset).toBe(30_005);
  });
});
