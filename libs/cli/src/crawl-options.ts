/** The options of `sluice crawl`, checked: all problems at once, each with the name of its field. */
import { join, resolve } from "node:path";
import { SluiceError } from "@sluice/errors";
import { jobSchema, scopeKinds, type Job, type ScopeKind } from "@sluice/records";
import { defaultJobName, prefixOf } from "./job-name.ts";
import { Problems } from "./option-checks.ts";

/** As the command line has them: text, or absent. */
export interface RawCrawlOptions {
  readonly maxPages?: string;
  readonly maxDepth?: string;
  readonly maxDuration?: string;
  readonly scope?: string;
  readonly sitemaps?: boolean;
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  readonly delay?: string;
  readonly concurrencyPerHost?: string;
  readonly maxConcurrency?: string;
  readonly requestTimeout?: string;
  readonly attempts?: string;
  readonly userAgent?: string;
  readonly contact?: string;
  readonly allowPrivate?: readonly string[];
  readonly resolve?: readonly string[];
  readonly out?: string;
  readonly job?: string;
  readonly brokers?: string;
  readonly partitions?: string;
  readonly prefix?: string;
  readonly retention?: string;
  readonly frontiers?: string;
  readonly fetchers?: string;
  readonly json?: boolean;
}

export interface CrawlOptions {
  /** The job as it is to be; `run` and `submittedAtMs` are set when it is sent. */
  readonly job: Job;
  /** Before every topic and group: the crawls of one Kafka never meet. */
  readonly prefix: string;
  /** Null: as the environment has it, else the default of the table of topics. */
  readonly partitions: number | null;
  readonly retentionMs: number | null;
  readonly brokers: readonly string[] | null;
  /** Absolute path of the folder of results. */
  readonly out: string;
  readonly json: boolean;
  readonly frontiers: number;
  readonly fetchers: number;
  /** Most requests at once over all fetchers; null: each fetcher's own default. */
  readonly maxConcurrency: number | null;
  readonly userAgent: string | null;
  readonly contact: string | null;
  readonly allowPrivate: readonly string[];
  readonly resolve: readonly string[];
}

const maxInstances = 64;
const printable = (charsMax: number): RegExp => new RegExp(`^[\\x21-\\x7e][\\x20-\\x7e]{0,${charsMax - 1}}$`);

/**
 * @param folder what a relative `--out` is relative to
 * @throws SluiceError SLUICE_USAGE with one line for each problem
 */
export function parseCrawlOptions(
  urls: readonly string[],
  raw: RawCrawlOptions,
  folder: string,
): CrawlOptions {
  const problems = new Problems();
  const seeds = problems.seeds(urls);
  const kind: ScopeKind = problems.oneOf("--scope", raw.scope, scopeKinds) ?? "host";
  const include = raw.include ?? [];
  const exclude = raw.exclude ?? [];
  problems.globs("--include", include);
  problems.globs("--exclude", exclude);
  const limits = {
    maxPages: problems.wholeNumber("--max-pages", raw.maxPages, 1),
    maxDepth: problems.wholeNumber("--max-depth", raw.maxDepth, 0),
    maxDurationMs: seconds(problems.wholeNumber("--max-duration", raw.maxDuration, 1, 31_536_000)),
  };
  const politeness = given({
    delayMs: problems.wholeNumber("--delay", raw.delay, 0, 86_400_000),
    concurrencyPerHost: problems.wholeNumber("--concurrency-per-host", raw.concurrencyPerHost, 1, 64),
  });
  const fetch = given({
    totalTimeoutMs: problems.wholeNumber("--request-timeout", raw.requestTimeout, 1, 600_000),
    attemptsMax: problems.wholeNumber("--attempts", raw.attempts, 1, 10),
  });
  const maxConcurrency = problems.wholeNumber("--max-concurrency", raw.maxConcurrency, 1, 10_000);
  const fetchers = problems.wholeNumber("--fetchers", raw.fetchers, 1, maxInstances) ?? 1;
  const frontiers = problems.wholeNumber("--frontiers", raw.frontiers, 1, maxInstances) ?? 1;
  const partitions = problems.wholeNumber("--partitions", raw.partitions, 1, 1000);
  const retentionMs = problems.wholeNumber("--retention", raw.retention, 60_000);
  const brokers = problems.brokers("--brokers", raw.brokers);
  const userAgent = problems.matching(
    "--user-agent",
    raw.userAgent,
    printable(256),
    "is not printable ASCII of 1 to 256 characters",
  );
  const contact = problems.matching(
    "--contact",
    raw.contact,
    printable(200),
    "is not printable ASCII of 1 to 200 characters",
  );
  const allowPrivate = raw.allowPrivate ?? [];
  const fixed = raw.resolve ?? [];
  problems.addressBlocks("--allow-private", allowPrivate);
  problems.fixedAddresses("--resolve", fixed);
  const name = problems.matching(
    "--job",
    raw.job,
    /^[a-z0-9][a-z0-9._-]{0,99}$/,
    "is no job name: lower-case letters, digits, '.', '_' and '-', beginning with a letter or digit, at most 100",
  );
  const ownPrefix = problems.matching(
    "--prefix",
    raw.prefix,
    /^[a-z0-9][a-z0-9.-]{0,80}[.-]$/,
    "is no prefix: lower-case letters, digits, '.' and '-', ending in '.' or '-', at most 82",
  );
  if (raw.out === "") problems.add("--out", raw.out, "is no folder");
  if (problems.lines.length > 0) throw usageError(problems.lines);

  const sitemaps = raw.sitemaps === true ? ("follow" as const) : ("ignore" as const);
  const scope = { kind, sitemaps, include: [...include], exclude: [...exclude] };
  const id = name ?? defaultJobName(seeds, scope);
  const job = jobSchema.safeParse({ id, seeds, scope, limits, politeness, fetch });
  if (!job.success) {
    throw usageError(job.error.issues.map(({ path, message }) => `${fieldOfPath(path)}: ${message}`));
  }
  return {
    job: job.data,
    prefix: ownPrefix ?? prefixOf(id),
    partitions,
    retentionMs,
    brokers,
    out: resolve(folder, raw.out ?? join("crawl-results", id)),
    json: raw.json ?? false,
    frontiers,
    // With fewer requests at once than fetchers, some would have none to make.
    fetchers: Math.min(fetchers, maxConcurrency ?? fetchers),
    maxConcurrency,
    userAgent,
    contact,
    allowPrivate,
    resolve: fixed,
  };
}

function usageError(lines: readonly string[]): SluiceError {
  const field = lines[0]?.split(":", 1)[0];
  return new SluiceError("SLUICE_USAGE", lines.join("\n"), field === undefined ? {} : { field });
}

/** Limits that only the record's schema knows, by the name that the user knows. */
function fieldOfPath(path: readonly PropertyKey[]): string {
  const [first, second] = path.map(String);
  if (first === "seeds") return "URL";
  if (first === "scope" && second !== undefined) return second === "kind" ? "--scope" : `--${second}`;
  return path.map(String).join(".");
}

const seconds = (count: number | null): number | null => (count === null ? null : count * 1000);

/** What was given; the rest is left to the defaults of the schema. */
function given(values: Readonly<Record<string, number | null>>): Record<string, number> {
  const entries = Object.entries(values).filter((entry): entry is [string, number] => entry[1] !== null);
  return Object.fromEntries(entries);
}
