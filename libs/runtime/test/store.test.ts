import { describe, expect, test } from "vitest";
import { keptMs, memoryStores } from "../src/store.ts";

const hour = 3_600_000;

describe("stores in memory", () => {
  test("hold what was applied, and up to where", () => {
    const store = memoryStores().open(0, 0);
    expect([store.nextOffset, store.size]).toEqual([0, 0]);
    store.apply(
      [
        ["a", "1"],
        ["b", "2"],
        ["a", null],
        ["c", "3"],
      ],
      9,
    );
    expect([...store.all("")]).toEqual([
      ["b", "2"],
      ["c", "3"],
    ]);
    expect([store.nextOffset, store.size]).toEqual([9, 2]);
    store.clear();
    expect([store.nextOffset, store.size]).toEqual([0, 0]);
  });

  test("have the state of a task again that left and soon comes back", () => {
    const stores = memoryStores();
    stores.open(3, 0).apply([["a", "1"]], 5);
    stores.open(3, 0).close(1000);
    expect(stores.held()).toEqual([3]);
    const again = stores.open(3, 1000 + keptMs);
    expect(again.nextOffset).toBe(5);
    // Open for a day, then begun anew: it never left.
    expect(stores.open(3, 24 * hour).nextOffset).toBe(5);
  });

  test("forget the state of a task that left longer ago than tombstones are sure to be kept", () => {
    const stores = memoryStores();
    for (const task of [1, 2]) stores.open(task, 0).apply([["a", "1"]], 5);
    stores.open(1, 0).close(0);
    stores.open(2, 0).close(keptMs + hour);
    expect(stores.open(7, keptMs + hour).size).toBe(0);
    expect(stores.held()).toEqual([2, 7]);
    expect(stores.open(1, keptMs + hour).nextOffset).toBe(0);
  });
});
