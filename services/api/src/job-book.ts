/** What the topics say of jobs: their records, and what their owners say of them. */
import { z } from "zod";
import { decodeRecord, topics, type Counters, type Job, type JobStatus } from "@sluice/records";
import type { Batch, BrokerRecord } from "@sluice/runtime";
import { hasEnded } from "./job-view.ts";

/** A submission that came with an Idempotency-Key. Digests only: a key may be a secret. */
export const usedKeySchema = z.object({
  key: z.string(),
  body: z.string(),
  run: z.int().positive(),
  submittedAtMs: z.int(),
});
export type UsedKey = z.infer<typeof usedKeySchema>;
const usedKeysSchema = z.array(usedKeySchema);

/** Header of records in `crawl.jobs` that carries the keys used for the job, the latest last, as JSON. */
export const usedKeysHeader = "sluice-idempotency-keys";

/** Where the results of a run can begin: the end of each partition of `crawl.results` when it was submitted. */
export const resultsFromSchema = z.object({
  run: z.int().positive(),
  offsets: z.array(z.int().nonnegative()),
});
export type ResultsFrom = z.infer<typeof resultsFromSchema>;

/** Header of records in `crawl.jobs` with that, as JSON. */
export const resultsFromHeader = "sluice-results-from";

/** Header of a record that removes a job: its last run. As long as the broker keeps it, the id goes on from there. */
export const lastRunHeader = "sluice-last-run";
const lastRunSchema = z.int().positive();
/** Removed jobs of which the last run is kept in memory; older ones are forgotten. */
const removedMax = 100_000;

export interface JobEntry {
  readonly job: Job;
  readonly usedKeys: readonly UsedKey[];
  /** Null for jobs that others submitted. */
  readonly resultsFrom: ResultsFrom | null;
}

export class JobBook {
  readonly #prefix: string;
  readonly #jobs = new Map<string, JobEntry>();
  readonly #statuses = new Map<string, JobStatus>();
  readonly #jobOfKey = new Map<string, string>();
  /** Of removed jobs, the one that was removed last at the end. */
  readonly #lastRuns = new Map<string, number>();
  /** Ids of jobs that are not distributed. */
  readonly #direct = new Set<string>();

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  fold({ topic, records }: Batch): void {
    const name = topic.slice(this.#prefix.length);
    for (const record of records) {
      if (name === topics.jobs.name) this.#foldJob(record);
      else if (name === topics.counters.name) this.#foldCounters(record);
    }
  }

  entry(id: string): JobEntry | undefined {
    return this.#jobs.get(id);
  }

  status(id: string): JobStatus | undefined {
    return this.#statuses.get(id);
  }

  /** The submission that used the key before, with its job. */
  used(key: string): { readonly job: string; readonly use: UsedKey } | undefined {
    const job = this.#jobOfKey.get(key);
    const use =
      job === undefined ? undefined : this.#jobs.get(job)?.usedKeys.find((each) => each.key === key);
    return job === undefined || use === undefined ? undefined : { job, use };
  }

  /** The last run of a job that was removed; 0 where none is known. */
  lastRun(id: string): number {
    return this.#lastRuns.get(id) ?? 0;
  }

  /** Whether a job that API processes have to run themselves has not ended. */
  get hasDirectJob(): boolean {
    for (const id of this.#direct) {
      const entry = this.#jobs.get(id);
      if (entry !== undefined && !hasEnded(entry.job, this.#statuses.get(id))) return true;
    }
    return false;
  }

  /** In order, so that every replica lists them alike. */
  ids(): readonly string[] {
    return [...this.#jobs.keys()].sort();
  }

  /** Jobs that ended before an instant, at most so many. */
  endedBefore(endedBeforeMs: number, limit: number): readonly string[] {
    const found: string[] = [];
    for (const [id, { job }] of this.#jobs) {
      if (found.length === limit) break;
      const status = this.#statuses.get(id);
      if (hasEnded(job, status) && (status?.endedAtMs ?? Infinity) <= endedBeforeMs) found.push(id);
    }
    return found;
  }

  #foldJob({ key, value, headers }: BrokerRecord): void {
    const id = key?.toString("utf8") ?? "";
    const decoded = decodeRecord(topics.jobs.name, value);
    // As the frontier does it: what can't be read changes nothing.
    if (decoded.kind === "poison") return;
    for (const used of this.#jobs.get(id)?.usedKeys ?? []) this.#jobOfKey.delete(used.key);
    this.#jobs.delete(id);
    this.#direct.delete(id);
    this.#lastRuns.delete(id);
    if (decoded.kind === "tombstone") return this.#keepLastRun(id, headers[lastRunHeader]);
    const usedKeys = readHeader(usedKeysSchema, headers[usedKeysHeader]) ?? [];
    const resultsFrom = readHeader(resultsFromSchema, headers[resultsFromHeader]);
    const job = decoded.value as Job;
    this.#jobs.set(id, { job, usedKeys, resultsFrom });
    if (!job.distributed) this.#direct.add(id);
    for (const used of usedKeys) this.#jobOfKey.set(used.key, id);
  }

  #keepLastRun(id: string, text: string | undefined): void {
    const run = readHeader(lastRunSchema, text);
    if (run === null) return;
    this.#lastRuns.set(id, run);
    for (const oldest of this.#lastRuns.keys()) {
      if (this.#lastRuns.size <= removedMax) return;
      this.#lastRuns.delete(oldest);
    }
  }

  #foldCounters({ key, value }: BrokerRecord): void {
    const decoded = decodeRecord(topics.counters.name, value);
    if (decoded.kind === "tombstone") this.#statuses.delete(key?.toString("utf8") ?? "");
    if (decoded.kind !== "value") return;
    const counters = decoded.value as Counters;
    if (counters.kind === "job") this.#statuses.set(counters.job, counters);
  }
}

/** What a job's record carries beside it. */
export function headersOf({ usedKeys, resultsFrom }: JobEntry): Record<string, string> {
  return {
    ...(usedKeys.length === 0 ? {} : { [usedKeysHeader]: JSON.stringify(usedKeys) }),
    ...(resultsFrom === null ? {} : { [resultsFromHeader]: JSON.stringify(resultsFrom) }),
  };
}

/** Anybody may write jobs, so anything may be in a header. */
function readHeader<Schema extends z.ZodType>(
  schema: Schema,
  text: string | undefined,
): z.output<Schema> | null {
  if (text === undefined) return null;
  try {
    return schema.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null;
  }
}
