/** The state of an instance's tasks in one folder of its disk. */
import { SluiceError, messageOf } from "@sluice/errors";
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { DiskStore, marksOf, removeFile, unfitOf, type StateEvents } from "./disk-store.ts";
import { keptMs, type StateStores } from "./store.ts";

export interface DiskStoresOptions {
  /** Of one service of one set of topics on one cluster. */
  readonly dir: string;
  readonly instance: string;
  readonly nowMs: () => number;
  /**
   * `state_discarded`: a file is not continued, with the reason. `state_folder`: the folder that is used. `state_shrunk`: room of what
   * was removed went back to the disk; `state_not_shrunk`: it could not.
   */
  readonly onEvent: StateEvents;
}

/** Processes of one instance name on one machine: each has a folder of its own. */
const foldersMax = 32;
const filePattern = /^task-(\d{1,6})\.db$/;

/**
 * Opens the folder of the instance. While another process has it, the next one beside it is taken, so that two
 * that were started under one name do not share their state.
 */
export function diskStores(options: DiskStoresOptions): StateStores {
  const { dir, instance, nowMs, onEvent } = options;
  const { folder, lock } = folderOf(dir, instance);
  const pathOf = (task: number): string => join(folder, `task-${task}.db`);
  onEvent("state_folder", { folder });
  const held = new Set<number>();
  const open = new Map<number, DiskStore>();
  for (const name of readdirSync(folder)) {
    const task = filePattern.exec(name)?.[1];
    if (task !== undefined && isFit(join(folder, name), nowMs(), onEvent)) held.add(Number(task));
  }
  return {
    open: (task, atMs) => {
      const path = pathOf(task);
      open.get(task)?.close(null);
      // It may have been away for long since this process began.
      if (held.has(task) && !isFit(path, atMs, onEvent)) held.delete(task);
      if (!held.has(task)) removeFile(path);
      held.add(task);
      const store = new DiskStore(path, nowMs, onEvent);
      open.set(task, store);
      return store;
    },
    // Not one that was never read to its end: it would be begun anew.
    held: () => [...held].filter((task) => open.get(task)?.isWhole !== false),
    close: () => {
      for (const store of open.values()) store.close(null);
      lock.close();
    },
  };
}

/** Whether a file can be continued; one that can't is removed. */
function isFit(path: string, nowMs: number, onEvent: DiskStoresOptions["onEvent"]): boolean {
  const reason = unfitOf(marksOf(path), nowMs, keptMs);
  if (reason === null) return true;
  onEvent("state_discarded", { path, reason });
  removeFile(path);
  return false;
}

function folderOf(dir: string, instance: string): { readonly folder: string; readonly lock: FolderLock } {
  for (let number = 1; number <= foldersMax; number += 1) {
    const folder = join(dir, number === 1 ? instance : `${instance}~${number}`);
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw new SluiceError("SLUICE_CONFIG_INVALID", `SLUICE_STATE_DIR: ${messageOf(error)}`, {
        field: "SLUICE_STATE_DIR",
        cause: error,
      });
    }
    const lock = locked(join(folder, "lock"));
    if (lock !== null) return { folder, lock };
  }
  throw new SluiceError("SLUICE_STATE_FAILED", `${dir}: ${foldersMax} processes are named ${instance}`);
}

interface FolderLock {
  close(): void;
}

/** A lock that the kernel takes back when the process ends, however it ends; null: another one has it. */
function locked(path: string): FolderLock | null {
  const db = new DatabaseSync(path, { timeout: 0 });
  try {
    db.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; CREATE TABLE IF NOT EXISTS lock (id); COMMIT");
    return db;
  } catch {
    db.close();
    return null;
  }
}
