/** A lock between processes: a file that only one can create, and that is taken over from a holder that died. */
import { randomUUID } from "node:crypto";
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { identify, isRunning } from "./process-identity.ts";
import type { ProcessIdentity } from "./process-identity.ts";

interface Holder {
  readonly token: string;
  readonly process: ProcessIdentity;
}

export interface LockOptions {
  readonly timeoutMs: number;
  /** Called once when the lock is held by another process that lives, with its pid. */
  readonly onWait?: (pid: number) => void;
  /** For tests: whether the holder lives. */
  readonly isAlive?: (holder: ProcessIdentity) => boolean;
}

/** Runs `work` while holding the lock. Rejects where a living holder keeps it for longer than `timeoutMs`. */
export async function withLock<Result>(
  file: string,
  options: LockOptions,
  work: () => Promise<Result>,
): Promise<Result> {
  mkdirSync(path.dirname(file), { recursive: true });
  const own: Holder = { token: randomUUID(), process: identify(process.pid) };
  const isAlive = options.isAlive ?? isRunning;
  const untilMs = performance.now() + options.timeoutMs;
  for (let told = false; !tryTake(file, own, isAlive);) {
    const holder = readHolder(file);
    if (holder !== undefined && !told) options.onWait?.(holder.process.pid);
    told ||= holder !== undefined;
    if (performance.now() >= untilMs) {
      throw new Error(`${file} is held by process ${holder?.process.pid ?? "unknown"} for too long`);
    }
    await sleep(50);
  }
  try {
    return await work();
  } finally {
    release(file, own);
  }
}

/**
 * One attempt. A dead holder's lock is replaced only under a lock of its own, named after that holder: so at most
 * one process replaces it, and none removes a lock that a living one has just taken.
 */
function tryTake(file: string, own: Holder, isAlive: (holder: ProcessIdentity) => boolean): boolean {
  const draft = `${file}.${own.token}`;
  writeFileSync(draft, JSON.stringify(own));
  try {
    linkSync(draft, file);
    return true;
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  } finally {
    rmSync(draft, { force: true });
  }
  const holder = readHolder(file);
  if (holder === undefined || isAlive(holder.process)) return false;
  const takeOver = `${file}-after-${holder.token}`;
  if (!tryTake(takeOver, own, isAlive)) return false;
  try {
    if (readHolder(file)?.token !== holder.token) return false;
    writeFileSync(draft, JSON.stringify(own));
    renameSync(draft, file);
    return true;
  } finally {
    release(takeOver, own);
  }
}

function release(file: string, own: Holder): void {
  if (readHolder(file)?.token === own.token) rmSync(file, { force: true });
}

function readHolder(file: string): Holder | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(file, "utf8"));
    return isHolder(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isHolder(value: unknown): value is Holder {
  if (typeof value !== "object" || value === null || !("token" in value) || !("process" in value))
    return false;
  const holder = value.process;
  return typeof value.token === "string" && typeof holder === "object" && holder !== null && "pid" in holder;
}
