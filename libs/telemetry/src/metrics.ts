import { Counter, Gauge, Histogram, Registry } from "prom-client";

/** One metric: declared here and nowhere else. Labels are bounded, never a URL or a domain. */
export interface MetricDefinition {
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly labels: readonly string[];
  readonly buckets?: readonly number[];
}

/** Metrics of the runtime, the same in every service. */
export const metricDefinitions = {
  sluice_runtime_steps_total: { type: "counter", help: "Steps taken.", labels: [] },
  sluice_runtime_consumed_records_total: {
    type: "counter",
    help: "Records read from inputs.",
    labels: ["topic"],
  },
  sluice_runtime_consumed_bytes_total: {
    type: "counter",
    help: "Bytes of records read from inputs.",
    labels: ["topic"],
  },
  sluice_runtime_commits_total: { type: "counter", help: "Transactions by outcome.", labels: ["outcome"] },
  sluice_runtime_commit_records_total: {
    type: "counter",
    help: "Records written in committed transactions.",
    labels: [],
  },
  sluice_runtime_commit_seconds: {
    type: "histogram",
    help: "Time a committed transaction took.",
    labels: [],
    buckets: [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5],
  },
  sluice_runtime_dead_letters_total: {
    type: "counter",
    help: "Records put into a dead letter topic.",
    labels: ["topic"],
  },
  sluice_runtime_rebalances_total: { type: "counter", help: "Joins of the consumer group.", labels: [] },
  sluice_runtime_stale_batches_total: {
    type: "counter",
    help: "Batches dropped because they were fetched at an old position.",
    labels: [],
  },
  sluice_runtime_stale_calls_total: {
    type: "counter",
    help: "Answers of calls dropped because their task was gone.",
    labels: [],
  },
  sluice_runtime_held_records: { type: "gauge", help: "Records read and not finished.", labels: [] },
  sluice_runtime_held_bytes: { type: "gauge", help: "Bytes of records read and not finished.", labels: [] },
  sluice_runtime_calls: { type: "gauge", help: "Calls under way.", labels: [] },
  sluice_runtime_calls_waiting: { type: "gauge", help: "Calls that wait for a slot.", labels: [] },
  sluice_runtime_unpersisted_records: {
    type: "gauge",
    help: "Output gathered and not yet in a transaction.",
    labels: [],
  },
  sluice_runtime_paused_partitions: {
    type: "gauge",
    help: "Partitions paused, by reason.",
    labels: ["reason"],
  },
  sluice_runtime_tasks: { type: "gauge", help: "Tasks of this instance, by phase.", labels: ["phase"] },
} as const satisfies Record<string, MetricDefinition>;

export type MetricName = keyof typeof metricDefinitions;

/** The registry of one process, with every metric of the table in it. */
export class Metrics {
  readonly registry = new Registry();
  readonly #metrics = new Map<string, Counter | Gauge | Histogram>();

  constructor(labels: Readonly<Record<string, string>>) {
    this.registry.setDefaultLabels(labels);
    for (const [name, definition] of Object.entries(metricDefinitions) as [string, MetricDefinition][]) {
      const options = {
        name,
        help: definition.help,
        labelNames: [...definition.labels],
        registers: [this.registry],
      };
      if (definition.type === "counter") this.#metrics.set(name, new Counter(options));
      else if (definition.type === "gauge") this.#metrics.set(name, new Gauge(options));
      else
        this.#metrics.set(
          name,
          new Histogram({
            ...options,
            ...(definition.buckets === undefined ? {} : { buckets: [...definition.buckets] }),
          }),
        );
    }
  }

  add(name: MetricName, value: number, labels: Readonly<Record<string, string>> = {}): void {
    const metric = this.#metrics.get(name);
    if (metric instanceof Counter) metric.inc(labels, value);
  }

  set(name: MetricName, value: number, labels: Readonly<Record<string, string>> = {}): void {
    const metric = this.#metrics.get(name);
    if (metric instanceof Gauge) metric.set(labels, value);
  }

  observe(name: MetricName, value: number, labels: Readonly<Record<string, string>> = {}): void {
    const metric = this.#metrics.get(name);
    if (metric instanceof Histogram) metric.observe(labels, value);
  }
}
