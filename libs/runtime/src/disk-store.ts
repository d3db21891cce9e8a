/** State on a disk, in SQLite: one file a task. */
import { asError } from "@sluice/errors";
import type { Scratch } from "@sluice/topology";
import { existsSync, rmSync, statSync } from "node:fs";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { copiedMaxBytes, copiesOf, isMostlySpare, shrink } from "./disk-room.ts";
import { DiskScratch } from "./disk-scratch.ts";
import { stateFailed } from "./state-failed.ts";
import type { InputOffsets, TaskStore } from "./store.ts";

/** Rises with every change of what lies in the file, and of what it means. */
export const storeVersion = 1;

/** Pages that one file's connection keeps in memory, in KiB. */
const cacheKiB = 4096;
/** Changes applied after which the file is brought up to date, so that its log stays small. */
const changesMax = 10_000;
/** Entries that one statement puts into a file that is filled: half the time of as many statements. */
const rowsMax = 16;
/** Keys or entries that are read at a time where all are gone through. */
const readMax = 500;
/** Beyond every key that begins with a prefix: keys are printable ASCII. */
const end = "\u007f";

interface Statements {
  readonly get: StatementSync;
  readonly from: StatementSync;
  readonly beyond: StatementSync;
  readonly keysFrom: StatementSync;
  readonly keysBeyond: StatementSync;
  readonly insert: StatementSync;
  readonly insertRows: StatementSync;
  readonly update: StatementSync;
  readonly remove: StatementSync;
  readonly mark: StatementSync;
}

/** What is known of a store's content; written in the same transaction. */
interface Marks {
  readonly nextOffset: number;
  readonly inputs: InputOffsets;
  readonly entries: number;
  /** Null until the changelog was once read to its end. */
  readonly asOfMs: number | null;
}

const none: Marks = { nextOffset: 0, inputs: {}, entries: 0, asOfMs: null };

export type StateEvents = (event: string, fields: Readonly<Record<string, unknown>>) => void;

/** Why a file is of no use, or null. */
export type Unfit = "unreadable" | "version" | "incomplete" | "outdated";

/** Reads what a file says of itself. */
export function marksOf(path: string): Marks | "unreadable" | "version" {
  let db: DatabaseSync | null = null;
  try {
    db = new DatabaseSync(path, { readOnly: false });
    // With it no file is needed beside this one, and the look takes no room of a disk that is full.
    db.exec("PRAGMA locking_mode = EXCLUSIVE");
    if (versionOf(db) !== storeVersion) return "version";
    return readMarks(db);
  } catch (error) {
    // Someone looks into it: it is good once they have gone.
    if (codeOf(error) === busyCode) throw stateFailed(path, "failed", error);
    return "unreadable";
  } finally {
    db?.close();
  }
}

function versionOf(db: DatabaseSync): unknown {
  return db.prepare("PRAGMA user_version").get()?.["user_version"];
}

function readMarks(db: DatabaseSync): Marks {
  const row = db.prepare("SELECT text FROM marks").get();
  return row === undefined ? none : (JSON.parse(String(row["text"])) as Marks);
}

/** Why the state cannot be continued: it is not all of it, or the changelog may have forgotten what it removed. */
export function unfitOf(
  found: Marks | "unreadable" | "version",
  nowMs: number,
  keptMs: number,
): Unfit | null {
  if (typeof found === "string") return found;
  if (found.asOfMs === null) return "incomplete";
  return nowMs - found.asOfMs > keptMs ? "outdated" : null;
}

/** A file and its log; the process that has it open is the only one. */
export function removeFile(path: string): void {
  for (const each of [path, `${path}-wal`, `${path}-shm`, `${path}-journal`, ...copiesOf(path)])
    if (existsSync(each)) rmSync(each);
}

/**
 * A table in the order of its keys. What is applied is in an open transaction, which reads of the same
 * connection see, and which a checkpoint commits: after a kill the file is as of the last checkpoint, with the
 * offset that goes with it.
 */
export class DiskStore implements TaskStore {
  readonly path: string;
  readonly #nowMs: () => number;
  readonly #onEvent: StateEvents;
  #scratch: DiskScratch | null = null;
  #db: DatabaseSync;
  #statements: Statements;
  #marks: Marks;
  /** Applied and not committed. */
  #changes = 0;
  #checkpointAtMs: number | null = null;
  /** Room could not be given back; the next start tries again. */
  #keepsRoom = false;
  /** Part of what was applied may be undone, as SQLite does when the disk is full, and the marks are ahead of it. */
  #hasFailed = false;

  constructor(path: string, nowMs: () => number, onEvent: StateEvents) {
    this.path = path;
    this.#nowMs = nowMs;
    this.#onEvent = onEvent;
    try {
      this.#db = opened(path);
    } catch (error) {
      throw stateFailed(path, "failed", error);
    }
    this.#statements = prepared(this.#db);
    this.#marks = readMarks(this.#db);
    this.#giveBack(Infinity);
  }

  get nextOffset(): number {
    return this.#marks.nextOffset;
  }

  get inputs(): InputOffsets {
    return this.#marks.inputs;
  }

  get size(): number {
    return this.#marks.entries;
  }

  /** The changelog was once read to its end. */
  get isWhole(): boolean {
    return this.#marks.asOfMs !== null;
  }

  get checkpointAtMs(): number | null {
    return this.#checkpointAtMs;
  }

  get(key: string): string | undefined {
    return this.#guarded(() => {
      const row = this.#statements.get.get(key) as unknown as [string] | undefined;
      return row?.[0];
    });
  }

  first(prefix: string, limit: number, after?: string): readonly (readonly [string, string])[] {
    return this.#guarded(() => {
      const { beyond, from } = this.#statements;
      const most = Math.min(limit, Number.MAX_SAFE_INTEGER);
      const rows =
        after !== undefined && after >= prefix
          ? beyond.all(after, prefix + end, most)
          : from.all(prefix, prefix + end, most);
      return rows as unknown as (readonly [string, string])[];
    });
  }

  *keys(prefix: string): Generator<string, void, undefined> {
    const { keysBeyond, keysFrom } = this.#statements;
    for (const [key] of this.#rows<readonly [string]>(keysFrom, keysBeyond, prefix)) yield key;
  }

  all(prefix: string): Generator<readonly [string, string], void, undefined> {
    return this.#rows(this.#statements.from, this.#statements.beyond, prefix);
  }

  /** Some at a time, which takes half as long as one by one. */
  *#rows<Row extends readonly [string, ...string[]]>(
    from: StatementSync,
    beyond: StatementSync,
    prefix: string,
  ): Generator<Row, void, undefined> {
    let after: string | undefined;
    do {
      const [statement, begin] = after === undefined ? [from, prefix] : [beyond, after];
      const rows = this.#guarded(() => statement.all(begin, prefix + end, readMax)) as unknown as Row[];
      yield* rows;
      after = rows.length < readMax ? undefined : rows.at(-1)?.[0];
    } while (after !== undefined);
  }

  apply(
    changes: Iterable<readonly [string, string | null]>,
    nextOffset: number,
    inputs?: InputOffsets,
  ): void {
    this.#guarded(() => {
      if (!this.#db.isTransaction) this.#db.exec("BEGIN");
      const entries = this.isWhole ? this.#change(changes) : this.#fill(changes);
      const known = this.#marks.inputs;
      this.#marks = {
        ...this.#marks,
        nextOffset,
        entries: this.#marks.entries + entries,
        inputs: inputs === undefined ? known : { ...known, ...inputs },
      };
      if (this.#changes >= changesMax) this.#commit();
    });
  }

  /** Answers by how many entries there are more. */
  #change(changes: Iterable<readonly [string, string | null]>): number {
    let more = 0;
    for (const [key, value] of changes) {
      this.#changes += 1;
      more += value === null ? -this.#remove(key) : this.#put(key, value);
    }
    return more;
  }

  /** The same of a file that is filled, several rows at a time: the fastest where they come in the order of their keys. */
  #fill(changes: Iterable<readonly [string, string | null]>): number {
    let more = 0;
    let rows: string[] = [];
    for (const [key, value] of changes) {
      this.#changes += 1;
      if (value === null) {
        more += this.#putRows(rows) - this.#remove(key);
        rows = [];
      } else {
        rows.push(key, value);
        if (rows.length < rowsMax * 2) continue;
        more += this.#putRows(rows);
        rows = [];
      }
    }
    return more + this.#putRows(rows);
  }

  #remove(key: string): number {
    return Number(this.#statements.remove.run(key).changes);
  }

  #put(key: string, value: string): number {
    const { insert, update } = this.#statements;
    if (insert.run(key, value).changes !== 0) return 1;
    update.run(value, key);
    return 0;
  }

  /** @param rows key and value by turns */
  #putRows(rows: readonly string[]): number {
    const isFull = rows.length === rowsMax * 2;
    let more = isFull ? Number(this.#statements.insertRows.run(...rows).changes) : 0;
    if (isFull && more === rowsMax) return more;
    // Some were there: all are put once more, in their order.
    for (let at = 0; at < rows.length; at += 2) more += this.#put(rows[at] ?? "", rows[at + 1] ?? "");
    return more;
  }

  checkpoint(asOfMs: number): void {
    this.#guarded(() => {
      if (!this.isWhole) this.#endFilling();
      this.#marks = { ...this.#marks, asOfMs };
      if (!this.#db.isTransaction) this.#db.exec("BEGIN");
      this.#commit();
      this.#checkpointAtMs = this.#nowMs();
      this.#giveBack(copiedMaxBytes);
    });
  }

  /** What was removed gives its room back, once it is most of the file. Where that fails the file stays as it is. */
  #giveBack(copiedMax: number): void {
    if (this.#keepsRoom || !isMostlySpare(this.#db, copiedMax)) return;
    const { path } = this;
    const bytesBefore = statSync(path).size;
    try {
      shrink(this.#db, path);
      this.#onEvent("state_shrunk", { path, bytesBefore, bytes: statSync(path).size });
    } catch (error) {
      this.#keepsRoom = true;
      this.#onEvent("state_not_shrunk", { path, bytesBefore, message: asError(error).message });
    }
    this.#db = opened(path);
    this.#statements = prepared(this.#db);
  }

  /** All of it is on the disk before the file says that it is whole. */
  #endFilling(): void {
    if (this.#db.isTransaction) this.#commit();
    this.#db.exec(keeping);
  }

  scratch(): Scratch {
    this.#scratch?.close();
    this.#scratch = new DiskScratch(`${this.path}-scratch`);
    return this.#scratch;
  }

  clear(): void {
    this.#db.close();
    removeFile(this.path);
    this.#db = opened(this.path);
    this.#statements = prepared(this.#db);
    this.#marks = none;
    this.#changes = 0;
    this.#hasFailed = false;
  }

  close(asOfMs: number | null): void {
    this.#scratch?.close();
    this.#scratch = null;
    if (!this.#db.isOpen) return;
    // Of one that has failed, what the last checkpoint wrote is all that can be believed.
    if (asOfMs !== null && !this.#hasFailed) this.checkpoint(asOfMs);
    this.#db.close();
  }

  #commit(): void {
    this.#statements.mark.run(JSON.stringify(this.#marks));
    this.#db.exec("COMMIT");
    this.#changes = 0;
  }

  /** A file that turns out to be broken is of no use: it goes, and the next start rebuilds it. */
  #guarded<T>(act: () => T): T {
    if (this.#hasFailed) throw stateFailed(this.path, "failed", new Error("an earlier operation failed"));
    try {
      return act();
    } catch (error) {
      this.#hasFailed = true;
      const isBroken = brokenCodes.has(codeOf(error));
      if (isBroken) {
        this.#db.close();
        removeFile(this.path);
      }
      const what = isBroken ? "was broken and is thrown away; the next start rebuilds it" : "failed";
      throw stateFailed(this.path, what, error);
    }
  }
}

/** SQLITE_CORRUPT and SQLITE_NOTADB. */
const brokenCodes: ReadonlySet<number> = new Set([11, 26]);
/** SQLITE_BUSY. */
const busyCode = 5;
const codeOf = (error: unknown): number => Number((error as { errcode?: unknown }).errcode) & 0xff;

/** A log for writing ahead survives a kill at any point, and a power cut costs its last transactions at most. */
const keeping = "PRAGMA synchronous = NORMAL; PRAGMA journal_mode = WAL";
/** What is not whole is thrown away after a kill or a failure, so nothing is kept as it was, and nothing waits for the disk. */
const filling = "PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF";

function opened(path: string): DatabaseSync {
  const isNew = !existsSync(path);
  // Node.js lets no file be written without a journal unless it is told to.
  const options = { timeout: 0, defensive: !isNew };
  const db = new DatabaseSync(path, options);
  // Kept by the process: no second one can open the file.
  db.exec(`PRAGMA locking_mode = EXCLUSIVE; ${isNew ? filling : keeping}; PRAGMA cache_size = -${cacheKiB}`);
  // One that is complete is not written to: the disk may be full.
  if (isNew || versionOf(db) !== storeVersion)
    db.exec(`PRAGMA user_version = ${storeVersion};
    CREATE TABLE IF NOT EXISTS entries (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS marks (id INTEGER PRIMARY KEY CHECK (id = 1), text TEXT NOT NULL)`);
  return db;
}

function prepared(db: DatabaseSync): Statements {
  const rows = (sql: string): StatementSync => {
    const statement = db.prepare(sql);
    statement.setReturnArrays(true);
    return statement;
  };
  return {
    get: rows("SELECT value FROM entries WHERE key = ?"),
    from: rows("SELECT key, value FROM entries WHERE key >= ? AND key < ? ORDER BY key LIMIT ?"),
    beyond: rows("SELECT key, value FROM entries WHERE key > ? AND key < ? ORDER BY key LIMIT ?"),
    keysFrom: rows("SELECT key FROM entries WHERE key >= ? AND key < ? ORDER BY key LIMIT ?"),
    keysBeyond: rows("SELECT key FROM entries WHERE key > ? AND key < ? ORDER BY key LIMIT ?"),
    insert: db.prepare("INSERT OR IGNORE INTO entries (key, value) VALUES (?, ?)"),
    insertRows: db.prepare(
      `INSERT OR IGNORE INTO entries (key, value) VALUES ${Array(rowsMax).fill("(?, ?)").join(", ")}`,
    ),
    update: db.prepare("UPDATE entries SET value = ? WHERE key = ?"),
    remove: db.prepare("DELETE FROM entries WHERE key = ?"),
    mark: db.prepare("INSERT OR REPLACE INTO marks (id, text) VALUES (1, ?)"),
  };
}
