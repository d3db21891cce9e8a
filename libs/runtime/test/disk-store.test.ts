import * as fc from "fast-check";
import { spawn } from "node:child_process";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, describe, expect, onTestFinished, test } from "vitest";
import { marksOf } from "../src/disk-store.ts";
import { diskStores } from "../src/disk-stores.ts";
import { keptMs, memoryStores, type StateStores, type TaskStore } from "../src/store.ts";

const root = mkdtempSync(join(tmpdir(), "sluice-state-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

let folders = 0;
const newDir = (): string => {
  folders += 1;
  return join(root, String(folders));
};

/** One process's view of a folder; `events` is what it told. */
function storesIn(dir: string, nowMs = 1_000_000): StateStores & { readonly events: readonly string[] } {
  const events: string[] = [];
  const onEvent = (event: string, fields: Readonly<Record<string, unknown>>): void => {
    if (event === "state_discarded") events.push(String(fields["reason"]));
  };
  return { ...diskStores({ dir, instance: "f-1", nowMs: () => nowMs, onEvent }), events };
}

const bytesIn = (dir: string): number =>
  readdirSync(dir, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".db"))
    .reduce((sum, name) => sum + statSync(join(dir, name)).size, 0);

/** As a kill leaves it: what no checkpoint has written is lost, and the kernel gives the locks back. */
function killed(stores: StateStores): void {
  stores.close();
}

/** What a process leaves that has applied so much to its first task, and has ended as it should. */
function leftInOrder(dir: string, changes: readonly (readonly [string, string])[], nextOffset: number): void {
  const stores = storesIn(dir);
  const store = stores.open(0, 1_000_000);
  store.apply(changes, nextOffset);
  store.close(1_000_000);
  stores.close();
}

describe("stores on a disk", () => {
  test("are held once the changelog was read to its end, in this process and in the next", () => {
    const dir = newDir();
    const stores = storesIn(dir);
    stores.open(1, 1_000_000).apply(Object.entries({ a: "1" }), 5);
    const whole = stores.open(2, 1_000_000);
    whole.apply(Object.entries({ b: "2" }), 5);
    expect(stores.held()).toEqual([]);
    whole.checkpoint(1_000_000);
    expect(stores.held()).toEqual([2]);
    killed(stores);
    const again = storesIn(dir);
    expect(again.held()).toEqual([2]);
    killed(again);
  });

  test("show at once what was applied, and after a kill what was applied up to the last checkpoint", () => {
    const dir = newDir();
    const stores = storesIn(dir);
    const store = stores.open(3, 1_000_000);
    store.apply(Object.entries({ a: "1", b: "2" }), 7, { "crawl.links": 5 });
    store.checkpoint(1_000_000);
    store.apply(
      [
        ["a", null],
        ["c", "3"],
      ],
      9,
      { "crawl.links": 6 },
    );
    expect([store.get("a"), store.get("b"), store.get("c"), store.size]).toEqual([undefined, "2", "3", 2]);
    expect([store.nextOffset, store.inputs]).toEqual([9, { "crawl.links": 6 }]);
    killed(stores);
    const again = storesIn(dir);
    expect(again.held()).toEqual([3]);
    const found = again.open(3, 1_000_000);
    expect([...found.all("")]).toEqual([
      ["a", "1"],
      ["b", "2"],
    ]);
    expect([found.nextOffset, found.inputs, found.size]).toEqual([7, { "crawl.links": 5 }, 2]);
    killed(again);
  });

  test("have everything after a task has left in order", () => {
    const dir = newDir();
    leftInOrder(dir, [["a", "1"]], 4);
    const again = storesIn(dir);
    expect(again.open(0, 1_000_000).nextOffset).toBe(4);
    killed(again);
  });

  test("do not continue what was never read to its end, nor what is older than tombstones are sure to be kept", () => {
    const dir = newDir();
    const first = storesIn(dir);
    // Enough to be written without a checkpoint.
    first.open(1, 1_000_000).apply(
      Array.from({ length: 60_000 }, (_, index) => [`k${index}`, "v"] as const),
      60_000,
    );
    const whole = first.open(2, 1_000_000);
    whole.apply([["a", "1"]], 4);
    whole.checkpoint(1_000_000);
    killed(first);
    const later = storesIn(dir, 1_000_000 + keptMs);
    expect(later.events).toEqual(["incomplete"]);
    expect(later.held()).toEqual([2]);
    killed(later);
    const tooLate = storesIn(dir, 1_000_001 + keptMs);
    expect([tooLate.events, tooLate.held()]).toEqual([["outdated"], []]);
    expect(tooLate.open(2, 1_000_001 + keptMs).nextOffset).toBe(0);
    killed(tooLate);
  });

  test.each([
    [
      "of a version that is not known",
      "version",
      (path: string) => {
        const db = new DatabaseSync(path);
        db.exec("PRAGMA user_version = 2");
        db.close();
      },
    ],
    ["that was cut", "unreadable", (path: string) => truncateSync(path, 5000)],
    [
      "that is something else",
      "unreadable",
      (path: string) => writeFileSync(path, "not a database at all ".repeat(100)),
    ],
  ])("throw a file away %s, and say so", (_, reason, spoil) => {
    const dir = newDir();
    leftInOrder(
      dir,
      Array.from({ length: 1000 }, (__, index) => [`k${index}`, "v".repeat(50)] as const),
      1000,
    );
    spoil(join(dir, "f-1", "task-0.db"));
    const again = storesIn(dir);
    expect([again.events, again.held()]).toEqual([[reason], []]);
    expect([again.open(0, 1_000_000).nextOffset, again.open(0, 1_000_000).size]).toEqual([0, 0]);
    killed(again);
  });

  test("keep a file that somebody looks into, and do not start", () => {
    const dir = newDir();
    leftInOrder(dir, [["a", "1"]], 1);
    const path = join(dir, "f-1", "task-0.db");
    const looking = new DatabaseSync(path);
    looking.exec("BEGIN; SELECT * FROM entries");
    expect(() => storesIn(dir)).toThrow("database is locked");
    looking.close();
    expect(marksOf(path)).toMatchObject({ nextOffset: 1, entries: 1 });
  });

  test("throw a file away that turns out to be broken while it is read, and end the process", () => {
    const dir = newDir();
    leftInOrder(
      dir,
      Array.from({ length: 5000 }, (__, index) => [`k${index}`, "v".repeat(50)] as const),
      5000,
    );
    const path = join(dir, "f-1", "task-0.db");
    const db = new DatabaseSync(path);
    const { page_count: pages } = db.prepare("PRAGMA page_count").get() as { page_count: number };
    db.close();
    // Its head says what it says, and its middle is gone.
    truncateSync(path, Math.floor(pages / 2) * 4096);
    truncateSync(path, pages * 4096);
    const again = storesIn(dir);
    expect(() => {
      const broken = again.open(0, 1_000_000);
      for (let index = 0; index < 5000; index += 1) broken.get(`k${index}`);
    }).toThrow(/task-0.db was broken and is thrown away/);
    expect(existsSync(path)).toBe(false);
    killed(again);
  });

  test("are filled without a log, and keep one from the moment on at which they are whole", () => {
    const dir = newDir();
    const stores = storesIn(dir);
    const store = stores.open(0, 1_000_000);
    const path = join(dir, "f-1", "task-0.db");
    // The file format says which versions of reading and writing it takes: 2 with a log for writing ahead.
    const formatOf = (): number => readFileSync(path)[18] ?? 0;
    const more = Array.from({ length: 3000 }, (_, index) => [`k${index}`, "v"] as const);
    store.apply(more, 3000);
    expect([existsSync(`${path}-wal`), formatOf()]).toEqual([false, 1]);
    // Nor is anything kept of what was there before: Node.js forbids that unless it is told.
    expect(existsSync(`${path}-journal`)).toBe(false);
    store.checkpoint(1_000_000);
    expect([existsSync(`${path}-wal`), formatOf()]).toEqual([true, 2]);
    store.clear();
    store.apply(more, 3000);
    expect([existsSync(`${path}-wal`), formatOf()]).toEqual([false, 1]);
    store.close(1_000_000);
    stores.close();
    const again = storesIn(dir);
    expect(again.open(0, 1_000_000).size).toBe(3000);
    killed(again);
  });

  test("go through all keys of a prefix, however many there are", () => {
    const dir = newDir();
    const stores = storesIn(dir);
    const store = stores.open(0, 1_000_000);
    const keys = Array.from({ length: 1500 }, (_, index) => `k|${String(index).padStart(4, "0")}`);
    store.apply(
      keys.map((key) => [key, `${key}!`] as const),
      1,
    );
    for (const count of [1, 499, 500, 501, 999, 1000, 1001, 1500]) {
      const prefix = `k|`;
      store.apply(
        keys.map((key, index) => [key, index < count ? `${key}!` : null] as const),
        2,
      );
      expect([...store.keys(prefix)]).toEqual(keys.slice(0, count));
      expect([...store.all(prefix)]).toEqual(keys.slice(0, count).map((key) => [key, `${key}!`]));
    }
    killed(stores);
  });

  test("are not shared: a second process of the same name has a folder of its own", () => {
    const dir = newDir();
    const one = storesIn(dir);
    const two = storesIn(dir);
    one.open(0, 0).apply([["a", "1"]], 1);
    expect(two.open(0, 0).size).toBe(0);
    expect(readdirSync(dir).sort()).toEqual(["f-1", "f-1~2"]);
    killed(one);
    killed(two);
    const three = storesIn(dir);
    expect(readdirSync(dir).length).toBe(2);
    killed(three);
  });

  test("are free again as soon as the process that had them is killed", async () => {
    const dir = newDir();
    const script = `
      import { diskStores } from ${JSON.stringify(new URL("../src/disk-stores.ts", import.meta.url).href)};
      const stores = diskStores({ dir: ${JSON.stringify(dir)}, instance: "f-1", nowMs: () => 1000, onEvent: () => {} });
      const store = stores.open(0, 1000);
      store.apply([["a", "1"]], 1);
      store.checkpoint(1000);
      store.apply([["b", "2"]], 2);
      process.stdout.write("ready");
      // Both are still of use: what nobody can reach any more is closed when the garbage is collected.
      setInterval(() => [stores.held(), store.size], 1000);`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    onTestFinished(() => void child.kill("SIGKILL"));
    await new Promise((resolve) => child.stdout.once("data", resolve));
    const beside = storesIn(dir, 1000);
    expect(beside.held()).toEqual([]);
    killed(beside);
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await gone;
    const after = storesIn(dir, 1000);
    expect(after.held()).toEqual([0]);
    const store = after.open(0, 1000);
    expect([[...store.all("")], store.nextOffset]).toEqual([[["a", "1"]], 1]);
    killed(after);
  });

  test("use the room of what was removed for what comes next", () => {
    const dir = newDir();
    // URLs of one job after the other, each removed with its job.
    const sizes = [1, 2, 3].map((job) => {
      const stores = storesIn(dir);
      const store = stores.open(0, 1_000_000);
      const keys = Array.from({ length: 5000 }, (_, url) => `q${job}|host-${url % 50}.example|${url}`);
      store.apply(
        keys.map((key) => [key, `"${key.repeat(3)}"`] as const),
        job,
      );
      store.checkpoint(1_000_000);
      for (let from = 0; from < keys.length; from += 500)
        store.apply(
          keys.slice(from, from + 500).map((key) => [key, null] as const),
          job,
        );
      store.checkpoint(1_000_000);
      expect(store.size).toBe(0);
      store.close(1_000_000);
      stores.close();
      expect(stores.events).toEqual([]);
      return bytesIn(dir);
    });
    const [first = 0, ...later] = sizes;
    expect(first).toBeGreaterThan(500_000);
    for (const size of later) expect(size).toBeLessThanOrEqual(first * 1.02);
  });

  test("read as stores in memory do, whatever is applied, and across kills", () => {
    const key = fc.stringMatching(/^[abq|~ ]{0,4}$/);
    const change = fc.tuple(key, fc.option(fc.string({ maxLength: 5 }), { freq: 20 }));
    const act = fc.oneof(
      fc.record({ kind: fc.constant("apply" as const), changes: fc.array(change, { maxLength: 8 }) }),
      // More than one statement puts into a file that is filled.
      fc.record({
        kind: fc.constant("apply" as const),
        changes: fc.array(change, { minLength: 16, maxLength: 60, size: "max" }),
      }),
      fc.record({
        kind: fc.constant("read" as const),
        prefix: key,
        after: fc.option(key),
        limit: fc.integer({ min: 1, max: 5 }),
      }),
      fc.record({ kind: fc.constant("clear" as const) }),
      fc.record({ kind: fc.constant("restart" as const) }),
    );
    fc.assert(
      fc.property(fc.array(act, { maxLength: 30 }), (acts) => {
        const dir = newDir();
        let stores = storesIn(dir);
        let disk: TaskStore = stores.open(0, 1_000_000);
        const memory = memoryStores().open(0, 0);
        let offset = 0;
        for (const each of acts) {
          if (each.kind === "apply") {
            offset += each.changes.length;
            for (const store of [disk, memory]) store.apply(each.changes, offset);
          } else if (each.kind === "clear") {
            for (const store of [disk, memory]) store.clear();
          } else if (each.kind === "restart") {
            disk.checkpoint(1_000_000);
            killed(stores);
            stores = storesIn(dir);
            disk = stores.open(0, 1_000_000);
          } else {
            const { prefix, after, limit } = each;
            expect(disk.get(prefix)).toEqual(memory.get(prefix));
            const of = (store: TaskStore) =>
              store.first(prefix, limit, after ?? undefined).map((pair) => [...pair]);
            expect(of(disk)).toEqual(of(memory));
            expect([...disk.keys(prefix)]).toEqual([...memory.keys(prefix)]);
          }
          expect(disk.size).toBe(memory.size);
          expect([...disk.all("")]).toEqual([...memory.all("")]);
        }
        killed(stores);
      }),
      { numRuns: 60 },
    );
  });
});
