/** The folder of a crawl's results: whose it is, what of an earlier run is moved aside, its summary. */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { messageOf, SluiceError } from "@sluice/errors";
import type { Summary } from "./summary.ts";

/** Whose results lie in the folder. */
interface Owner {
  readonly version: 1;
  readonly job: string;
  readonly prefix: string;
  readonly run: number;
}

/** What the result-sink keeps beside its file: the file's safe length, and the next offset of each partition. */
interface SinkCheckpoint {
  readonly version: 1;
  readonly bytes: number;
  readonly next: Readonly<Record<string, number>>;
}

export interface Crawl {
  readonly job: string;
  readonly prefix: string;
  readonly run: number;
  readonly kind: "first" | "resume" | "next";
  /** Some of the run's results were written already, here or elsewhere. */
  readonly hasWritten: boolean;
}

export class OutFolder {
  readonly path: string;
  readonly results: string;
  readonly summary: string;
  readonly #checkpoint: string;
  readonly #owner: string;

  constructor(path: string) {
    this.path = path;
    this.results = join(path, "results.jsonl");
    this.summary = join(path, "summary.json");
    this.#checkpoint = join(path, ".results.jsonl.checkpoint");
    this.#owner = join(path, ".crawl.json");
  }

  /**
   * Tells early that the path cannot be a folder, before anything is started.
   * @throws SluiceError SLUICE_USAGE
   */
  check(): void {
    for (let at = this.path; ; at = dirname(at)) {
      const stat = statSync(at, { throwIfNoEntry: false });
      if (stat?.isDirectory() === false)
        throw unusable(this.path, `cannot be a folder: ${at} is not a folder`);
      if (stat !== undefined || at === dirname(at)) return;
    }
  }

  /**
   * Makes the folder ready: what another run or a finished job has left is moved aside, never deleted.
   * May be done again after it was cut off anywhere.
   * @throws SluiceError SLUICE_USAGE where the folder cannot be made, SLUICE_JOB_CONFLICT where results of an unfinished job lie here, or this job's elsewhere
   */
  prepare(crawl: Crawl): void {
    make(this.path);
    const owner = readJson(this.#owner) as Owner | null;
    const isOurs = owner !== null && owner.job === crawl.job && owner.prefix === crawl.prefix;
    if (crawl.kind === "resume") {
      if (!isOurs && crawl.hasWritten) {
        throw conflict(
          `${this.path} does not have the results that ${crawl.job} has written so far; give the folder they are in`,
        );
      }
      if (isOurs) {
        rmSync(this.summary, { force: true });
        return;
      }
    }
    if (owner !== null && !isOurs && !this.#isFinished()) {
      throw conflict(
        `${this.path} holds the results of ${owner.job}, which is not finished; choose another folder`,
      );
    }
    this.#moveAside(owner);
    // Offsets go on only where the topics do.
    if (isOurs && crawl.kind === "next") this.#emptyCheckpoint();
    else rmSync(this.#checkpoint, { force: true });
    const next: Owner = { version: 1, job: crawl.job, prefix: crawl.prefix, run: crawl.run };
    writeAtomically(this.#owner, JSON.stringify(next));
  }

  /** Whether the run ended here with all its results written: its summary is made only then. */
  hasFinished({ job, prefix, run }: Pick<Crawl, "job" | "prefix" | "run">): boolean {
    const owner = readJson(this.#owner) as Owner | null;
    const summary = readJson(this.summary) as Summary | null;
    if (owner?.job !== job || owner.prefix !== prefix || summary?.run !== run) return false;
    return this.#isFinished();
  }

  /** Bytes of the results that are safely written. */
  safeBytes(): number {
    return (readJson(this.#checkpoint) as SinkCheckpoint | null)?.bytes ?? 0;
  }

  writeSummary(summary: Summary): void {
    writeAtomically(this.summary, `${JSON.stringify(summary, null, 2)}\n`);
  }

  #isFinished(): boolean {
    const summary = readJson(this.summary) as Summary | null;
    return (
      summary !== null && summary.finish_reason !== "interrupted" && summary.waiting + summary.in_flight === 0
    );
  }

  #moveAside(owner: Owner | null): void {
    const run = owner?.run ?? 1;
    // A file without results tells nothing.
    if (existsSync(this.results) && statSync(this.results).size > 0)
      renameSync(this.results, this.#free("results", run, "jsonl"));
    if (existsSync(this.summary)) renameSync(this.summary, this.#free("summary", run, "json"));
  }

  #free(name: string, run: number, ending: string): string {
    const first = join(this.path, `${name}.run-${run}.${ending}`);
    let free = first;
    for (let copy = 2; existsSync(free); copy += 1)
      free = join(this.path, `${name}.run-${run}.${copy}.${ending}`);
    return free;
  }

  #emptyCheckpoint(): void {
    const checkpoint = readJson(this.#checkpoint) as SinkCheckpoint | null;
    if (checkpoint !== null) writeAtomically(this.#checkpoint, JSON.stringify({ ...checkpoint, bytes: 0 }));
  }
}

function make(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (error) {
    throw unusable(path, `cannot be made: ${messageOf(error)}`);
  }
}

const unusable = (path: string, fault: string): SluiceError =>
  new SluiceError("SLUICE_USAGE", `--out: ${JSON.stringify(path)} ${fault}`, { field: "--out" });

const conflict = (fault: string): SluiceError =>
  new SluiceError("SLUICE_JOB_CONFLICT", `--out: ${fault}`, { field: "--out" });

function writeAtomically(path: string, text: string): void {
  const draft = `${path}.new`;
  writeFileSync(draft, text, { flush: true });
  renameSync(draft, path);
}

/** Null where there is no such file. */
function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
}
