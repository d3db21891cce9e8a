import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, describe, expect, test } from "vitest";
import { isMostlySpare } from "../src/disk-room.ts";
import { diskStores } from "../src/disk-stores.ts";
import type { StateStores, TaskStore } from "../src/store.ts";

const root = mkdtempSync(join(tmpdir(), "sluice-room-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** One process's view of a folder; `events` is what it told. */
function storesIn(dir: string): StateStores & { readonly events: readonly string[] } {
  const events: string[] = [];
  const onEvent = (event: string): void => {
    if (event !== "state_folder") events.push(event);
  };
  return { ...diskStores({ dir, instance: "f-1", nowMs: () => 1_000_000, onEvent }), events };
}

const bytesIn = (dir: string): number =>
  readdirSync(dir, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".db"))
    .reduce((sum, name) => sum + statSync(join(dir, name)).size, 0);

describe("stores on a disk of which most was removed", () => {
  const keys = Array.from({ length: 50_000 }, (_, url) => `q|${String(url).padStart(6, "0")}`);
  const removed = keys.filter((_, url) => url % 50 !== 7).map((key) => [key, null] as const);
  const left = keys.filter((_, url) => url % 50 === 7);

  /** A file of more than 20 MB of which a fiftieth is left, before a checkpoint could notice. */
  function mostlySpare(): {
    readonly dir: string;
    readonly path: string;
    readonly store: TaskStore;
    readonly stores: ReturnType<typeof storesIn>;
  } {
    const dir = mkdtempSync(join(root, "dir-"));
    const stores = storesIn(dir);
    const store = stores.open(0, 1_000_000);
    store.apply(
      keys.map((key) => [key, key.repeat(50)] as const),
      1,
    );
    store.checkpoint(1_000_000);
    expect(bytesIn(dir)).toBeGreaterThan(20_000_000);
    store.apply(removed, 2, { "crawl.links": 3 });
    return { dir, path: join(dir, "f-1", "task-0.db"), store, stores };
  }

  const expectWhole = (store: TaskStore): void => {
    expect([...store.all("")]).toEqual(left.map((key) => [key, key.repeat(50)]));
    expect([store.nextOffset, store.inputs, store.size]).toEqual([2, { "crawl.links": 3 }, left.length]);
  };

  test("give its room back to the disk with the next checkpoint, and go on", () => {
    const { dir, path, store, stores } = mostlySpare();
    // As a kill in the middle of an earlier attempt leaves it.
    writeFileSync(`${path}-copy`, "part of a copy");
    writeFileSync(`${path}-copy-journal`, "part of its journal");
    store.checkpoint(1_000_000);
    expect(stores.events).toEqual(["state_shrunk"]);
    expect(bytesIn(dir)).toBeLessThan(2_000_000);
    expectWhole(store);
    // It is as durable as before.
    store.apply([["a", "1"]], 3);
    store.checkpoint(1_000_000);
    store.apply([["a", null]], 4);
    stores.close();
    const again = storesIn(dir);
    expect([again.events, again.held()]).toEqual([[], [0]]);
    const found = again.open(0, 1_000_000);
    expect([found.get("a"), found.nextOffset, found.size]).toEqual(["1", 3, left.length + 1]);
    expect(readdirSync(join(dir, "f-1")).filter((name) => name.includes("copy"))).toEqual([]);
    again.close();
  });

  test("give its room back when the task is taken up again, however much is left", () => {
    const { dir, stores } = mostlySpare();
    stores.close();
    expect(bytesIn(dir)).toBeGreaterThan(20_000_000);
    const again = storesIn(dir);
    const store = again.open(0, 1_000_000);
    expect(again.events).toEqual(["state_shrunk"]);
    expect(bytesIn(dir)).toBeLessThan(2_000_000);
    expectWhole(store);
    again.close();
  });

  test("stay as they are where there is no room for a copy, which is tried once", () => {
    const { dir, path, store, stores } = mostlySpare();
    mkdirSync(`${path}-copy`);
    store.checkpoint(1_000_000);
    store.checkpoint(1_000_000);
    expect(stores.events).toEqual(["state_not_shrunk"]);
    expect(bytesIn(dir)).toBeGreaterThan(20_000_000);
    expectWhole(store);
    stores.close();
  });

  test("are left alone while too much would be copied, or too little is gained", () => {
    const db = new DatabaseSync(":memory:");
    db.exec("CREATE TABLE entries (key INTEGER PRIMARY KEY, value TEXT)");
    const insert = db.prepare("INSERT INTO entries (value) VALUES (?)");
    const mebibyte = "x".repeat(1_048_576);
    for (let index = 0; index < 40; index += 1) insert.run(mebibyte);
    const spareAfter = (removedMax: number, copiedMax: number): boolean => {
      db.exec(`DELETE FROM entries WHERE key <= ${removedMax}`);
      return isMostlySpare(db, copiedMax);
    };
    expect(spareAfter(19, Infinity)).toBe(false);
    expect(spareAfter(22, Infinity)).toBe(true);
    expect(spareAfter(22, 17 * 1_048_576)).toBe(false);
    expect(spareAfter(22, 19 * 1_048_576)).toBe(true);
    db.exec("DELETE FROM entries; VACUUM");
    for (let index = 0; index < 14; index += 1) insert.run(mebibyte);
    expect(spareAfter(100, Infinity)).toBe(false);
    db.close();
  });
});
