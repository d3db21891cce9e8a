/** Names a process so that another one that later gets its pid is not taken for it. */
import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

export interface ProcessIdentity {
  readonly pid: number;
  /** When it started, in whatever form the system tells it; null where it does not. */
  readonly started: string | null;
}

/** State letter and start time of a process, from proc(5): fields 3 and 22 of /proc/PID/stat. */
function linuxStat(pid: number): { readonly state: string; readonly startTicks: string } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The command name in parentheses may itself have spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [state, startTicks] = [fields[0], fields[19]];
    return state === undefined || startTicks === undefined ? undefined : { state, startTicks };
  } catch {
    return undefined;
  }
}

function startOf(pid: number): string | null {
  try {
    if (process.platform !== "linux") {
      return execFileSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8" }).trim();
    }
    const stat = linuxStat(pid);
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    return stat === undefined ? null : `${boot}:${stat.startTicks}`;
  } catch {
    return null;
  }
}

/** Whether nothing of it runs any more. The first thread of a dying JVM ends before those that hold its sockets. */
function hasEnded(pid: number): boolean {
  const state = linuxStat(pid)?.state;
  if (state === "X") return true;
  if (state !== "Z") return false;
  try {
    return readdirSync(`/proc/${pid}/task`).length <= 1;
  } catch {
    return true;
  }
}

export function identify(pid: number): ProcessIdentity {
  return { pid, started: startOf(pid) };
}

/** Whether this very process still runs. One that has ended and only waits to be reaped does not. */
export function isRunning(identity: ProcessIdentity): boolean {
  try {
    process.kill(identity.pid, 0);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EPERM")) return false;
  }
  if (process.platform === "linux" && hasEnded(identity.pid)) return false;
  return identity.started === null || startOf(identity.pid) === identity.started;
}

export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): void {
  if (!isRunning(identity)) return;
  try {
    process.kill(identity.pid, signal);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

/** Resolves to whether the process had ended within the time. */
export async function awaitEnd(identity: ProcessIdentity, timeoutMs: number): Promise<boolean> {
  const untilMs = performance.now() + timeoutMs;
  while (isRunning(identity)) {
    if (performance.now() >= untilMs) return false;
    await sleep(50);
  }
  return true;
}
