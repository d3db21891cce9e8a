/** Tells a process from a later one that got its pid. */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

export interface ProcessIdentity {
  readonly pid: number;
  /** Start time as the system tells it; null where it does not. */
  readonly started: string | null;
}

export function identityOf(pid: number): ProcessIdentity {
  return { pid, started: statOf(pid)?.started ?? null };
}

export function isAlive({ pid, started }: ProcessIdentity): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EPERM")) return false;
  }
  const now = statOf(pid);
  if (now === null) return true;
  return now.state !== "Z" && (started === null || now.started === started);
}

/** SIGKILL; resolves when the process is gone. */
export async function killAndAwait(identity: ProcessIdentity): Promise<void> {
  while (isAlive(identity)) {
    try {
      process.kill(identity.pid, "SIGKILL");
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
    }
    await sleep(20);
  }
}

/** State and start time, fields 3 and 22 of /proc/PID/stat (proc(5)); null where the system has none. */
function statOf(pid: number): { readonly state: string; readonly started: string } | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    return { state: fields[0] ?? "", started: `${boot}:${fields[19] ?? ""}` };
  } catch {
    return null;
  }
}
