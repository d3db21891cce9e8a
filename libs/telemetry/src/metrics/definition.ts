/** What is said of a metric, once, in one table. */

export const serviceNames = ["frontier", "rate-limit", "fetcher", "result-sink", "api"] as const;
export type ServiceName = (typeof serviceNames)[number];

/** Services that run on the runtime. */
export const onRuntime = ["frontier", "rate-limit", "fetcher", "result-sink"] as const;

/** What is counted or measured; the last word of a name, before `_total` or `_limit`. */
export const units = [
  "batches",
  "breakers",
  "connections",
  "bytes",
  "calls",
  "entries",
  "events",
  "hosts",
  "jobs",
  "offsets",
  "partitions",
  "permits",
  "rebalances",
  "records",
  "requests",
  "sitemaps",
  "rows",
  "seconds",
  "steps",
  "streams",
  "tasks",
  "transactions",
  "urls",
  "values",
  "writes",
] as const;
export type Unit = (typeof units)[number];

/** One metric: declared here and nowhere else. Labels are bounded, never a URL, a host or a job. */
export interface MetricDefinition {
  readonly type: "counter" | "gauge" | "histogram";
  readonly unit: Unit;
  readonly help: string;
  /** Services that export it. */
  readonly services: readonly ServiceName[];
  /**
   * Each label with all of its values, which are there from the first scrape on; what is none of them counts
   * as `other`. Null: the process knows them when it starts (its topics, its routes).
   */
  readonly labels: Readonly<Record<string, readonly string[] | null>>;
  /** Upper bounds of a histogram. */
  readonly buckets?: readonly number[];
}

export type MetricTable = Readonly<Record<string, MetricDefinition>>;
