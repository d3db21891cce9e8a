/** What a command means for a job that may exist: begin, go on, begin anew, or refuse. */
import type { Job, JobStatus } from "@sluice/records";

/** One option whose value differs from the job's. */
export interface Difference {
  readonly field: string;
  readonly was: string;
  readonly now: string;
}

export type JobPlan =
  /** Nothing is known of the job. */
  | { readonly kind: "first"; readonly job: Job }
  /** Unfinished, with the same options: the same run goes on. */
  | { readonly kind: "resume"; readonly job: Job }
  /** Finished: crawled afresh. */
  | { readonly kind: "next"; readonly job: Job }
  /** Unfinished, with other options. */
  | { readonly kind: "conflict"; readonly differences: readonly Difference[] };

/** What Kafka says of a job. */
export interface KnownJob {
  /** Its record; null where there is none. */
  readonly job: Job | null;
  /** What its owner last said of it; null where it never did. */
  readonly status: JobStatus | null;
  /** All its results are where they belong. A run that has ended without it is not finished. */
  readonly written: boolean;
}

export function planJob(wanted: Job, { job: known, status, written }: KnownJob, nowMs: number): JobPlan {
  if (known === null) return { kind: "first", job: { ...wanted, run: 1, submittedAtMs: nowMs } };
  if (status !== null && hasEnded(known, status) && written) {
    return { kind: "next", job: { ...wanted, run: status.run + 1, submittedAtMs: nowMs } };
  }
  const differences = differencesOf(known, wanted);
  if (differences.length > 0) return { kind: "conflict", differences };
  // A cancelled job has given URLs up already: it can only end, and then be crawled afresh.
  const desired = known.desired === "cancelled" ? "cancelled" : "running";
  return { kind: "resume", job: { ...known, desired } };
}

export function hasEnded(job: Job, status: JobStatus | null): boolean {
  return status !== null && status.run >= job.run && status.state === "ended";
}

/** The differences that matter to a run, by the option that sets each. Order of seeds and globs does not count. */
export function differencesOf(was: Job, now: Job): readonly Difference[] {
  const fields = fieldsOf(now);
  const differences: Difference[] = [];
  for (const [field, value] of Object.entries(fieldsOf(was))) {
    const wanted = fields[field] ?? "";
    if (value !== wanted) differences.push({ field, was: value, now: wanted });
  }
  return differences;
}

export function conflictMessage(job: string, differences: readonly Difference[]): string {
  return [
    `--job: the job ${job} is not finished and has other options:`,
    ...differences.map(({ field, was, now }) => `  ${field}: was ${was}, now ${now}`),
    "Give the options it has to go on with it, or another --job NAME to crawl beside it.",
  ].join("\n");
}

function fieldsOf({ seeds, scope, limits, politeness, fetch }: Job): Readonly<Record<string, string>> {
  return {
    URL: listed(seeds),
    "--scope": scope.kind,
    "--sitemaps": scope.sitemaps,
    "--include": listed(scope.include),
    "--exclude": listed(scope.exclude),
    "allowed domains": listed(scope.allowedDomains),
    "--max-pages": limit(limits.maxPages),
    "--max-depth": limit(limits.maxDepth),
    "--max-duration": limit(limits.maxDurationMs === null ? null : limits.maxDurationMs / 1000),
    "--delay": String(politeness.delayMs),
    "--concurrency-per-host": String(politeness.concurrencyPerHost),
    "longest crawl-delay": String(politeness.delayMaxMs),
    "--request-timeout": String(fetch.totalTimeoutMs),
    "longest body": String(fetch.bodyBytesMax),
    "--attempts": String(fetch.attemptsMax),
  };
}

const limit = (value: number | null): string => (value === null ? "no limit" : String(value));
const listed = (texts: readonly string[]): string =>
  texts.length === 0 ? "none" : [...new Set(texts)].sort().join(" ");
