/** Gives the room of what was removed back to the disk: SQLite itself only uses it again. */
import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import type { DatabaseSync } from "node:sqlite";

/** Room that is not worth a copy: it is soon used again. */
const spareMinBytes = 16 * 1_048_576;
/** What is copied while the task runs, which waits meanwhile: 3 ms of CPU for each MiB. */
export const copiedMaxBytes = 32 * 1_048_576;

/** What an attempt that was killed may leave beside the file. */
export const copiesOf = (path: string): readonly string[] => [`${path}-copy`, `${path}-copy-journal`];

/** Whether more than half of the file is spare, and what would be copied is not too much. */
export function isMostlySpare(db: DatabaseSync, copiedMax: number): boolean {
  const of = (name: string): number => Number(db.prepare(`PRAGMA ${name}`).get()?.[name]);
  const spare = of("freelist_count");
  const used = of("page_count") - spare;
  const bytes = of("page_size");
  return spare > used && spare * bytes >= spareMinBytes && used * bytes <= copiedMax;
}

/**
 * Puts a copy without spare room in the place of the file, and closes it either way. Nothing may be open in it, no
 * transaction either. A kill leaves one file or the other whole.
 */
export function shrink(db: DatabaseSync, path: string): void {
  const [copy = "", ...rest] = copiesOf(path);
  const clear = (): void => [copy, ...rest].forEach((each) => rmSync(each, { force: true }));
  try {
    clear();
    db.prepare("VACUUM INTO ?").run(copy);
    toDisk(copy);
    db.close();
    // The log of the one would be taken for that of the other.
    if (existsSync(`${path}-wal`)) throw new Error(`${path} keeps its log`);
    rmSync(`${path}-journal`, { force: true });
    renameSync(copy, path);
    toDisk(dirname(path));
  } finally {
    if (db.isOpen) db.close();
    clear();
  }
}

function toDisk(path: string): void {
  const file = openSync(path, "r");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
