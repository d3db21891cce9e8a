/** The latest full run of each scenario, as it is committed: what was run, on what, and what came of it. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";

export interface RecordedRun {
  /** The flags that name it, e.g. `kills`, or `kills, at-least-once`. */
  readonly scenario: string;
  readonly command: string;
  /** What it ran on; with `+` where files were changed since. */
  readonly commit: string;
  readonly date: string;
  /** The line of JSON it closed with. */
  readonly line: Readonly<Record<string, unknown>>;
}

/** Puts a run in the place of the one of the same scenario; the others stay, in order of their names. */
export function withRun(runs: readonly RecordedRun[], run: RecordedRun): readonly RecordedRun[] {
  return [...runs.filter(({ scenario }) => scenario !== run.scenario), run].toSorted((a, b) =>
    a.scenario < b.scenario ? -1 : 1,
  );
}

export function readRuns(file: string): readonly RecordedRun[] {
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as RecordedRun[]) : [];
}

export function recordRun(file: string, run: RecordedRun): void {
  writeFileSync(file, `${JSON.stringify(withRun(readRuns(file), run), null, 2)}\n`);
}

/** The commit that the folder shows, as git tells it; the file that runs are put into is no change. */
export function commitHere(file: string): string {
  const git = (...args: readonly string[]): string =>
    execFileSync("git", args, { encoding: "utf8", cwd: import.meta.dirname }).trim();
  return (
    git("rev-parse", "--short=12", "HEAD") +
    (git("status", "--porcelain", "--", ":/", `:(exclude)${resolve(file)}`) === "" ? "" : "+")
  );
}
