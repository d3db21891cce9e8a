/** What a process uses, by the kernel's own accounting (proc(5)). */
import { readFileSync } from "node:fs";

/** USER_HZ. */
const ticksPerSecond = 100;
const pageBytes = 4096;
const bytesPerMb = 1_048_576;

/** CPU time so far, user and system: fields 14 and 15 of /proc/PID/stat. @throws where there is no such process */
export function cpuSecondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The second field is a name in brackets, and may have anything in it.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** Resident megabytes. @throws where there is no such process */
export function rssMbOf(pid: number): number {
  const pages = Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]);
  return (pages * pageBytes) / bytesPerMb;
}
