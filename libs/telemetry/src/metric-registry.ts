import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { metricDefinitions, type Measurement, type MetricName } from "./metrics.ts";
import type { MetricDefinition, ServiceName } from "./metrics/definition.ts";
import { ProcessFigures } from "./process-figures.ts";
import type { UnlistedValues } from "./unlisted-values.ts";

type Labels = Readonly<Record<string, string>>;

interface Registered {
  readonly metric: Counter | Gauge | Histogram;
  /** Values a label may have; null where the process has not said. */
  readonly allowed: ReadonlyMap<string, ReadonlySet<string> | null>;
}

export interface MetricsOptions {
  readonly service: ServiceName;
  /** Values of labels that only the process knows, e.g. `topic`. */
  readonly values?: Readonly<Record<string, readonly string[]>>;
  /** Is told of values that no label lists. */
  readonly unlisted?: UnlistedValues;
}

const none: Labels = {};

/**
 * The registry of one process, with the metrics of its service and no others. Every value of every label that
 * is known beforehand is there from the start, at 0: a rate needs a value before the first event.
 */
export class Metrics {
  readonly #registry = new Registry();
  readonly #metrics = new Map<string, Registered>();
  readonly #process = new ProcessFigures();
  /** Gauges that were ever told by `setAll`. */
  readonly #told = new Set<string>();
  readonly #unlisted: UnlistedValues | undefined;

  constructor({ service, values = {}, unlisted }: MetricsOptions) {
    this.#unlisted = unlisted;
    this.#registry.setDefaultLabels({ service });
    for (const [name, definition] of Object.entries(metricDefinitions) as [string, MetricDefinition][]) {
      if (definition.services.includes(service)) this.#register(name, definition, values);
    }
  }

  /** The whole of `/metrics`. */
  async text(): Promise<string> {
    for (const measurement of this.#process.measurements()) this.record(measurement);
    return this.#registry.metrics();
  }

  /** Adds, sets or observes, as the metric is. One that this service does not have changes nothing. */
  record({ metric, value, labels = none }: Measurement): void {
    const registered = this.#metrics.get(metric);
    if (registered === undefined) return;
    const bounded = this.#bounded(metric, registered, labels);
    if (registered.metric instanceof Counter) registered.metric.inc(bounded, value);
    else if (registered.metric instanceof Gauge) registered.metric.set(bounded, value);
    else registered.metric.observe(bounded, value);
  }

  /** Gauges that are told anew: values of one series are added up, and a series told before and not now is 0. */
  setAll(told: readonly Measurement[]): void {
    for (const { metric } of told) this.#told.add(metric);
    for (const name of this.#told) this.#zero(name);
    for (const { metric, value, labels = none } of told) {
      const registered = this.#metrics.get(metric);
      if (registered?.metric instanceof Gauge)
        registered.metric.inc(this.#bounded(metric, registered, labels), value);
    }
  }

  add(metric: MetricName, value: number, labels: Labels = none): void {
    this.record({ metric, value, labels });
  }

  set(metric: MetricName, value: number, labels: Labels = none): void {
    this.record({ metric, value, labels });
  }

  observe(metric: MetricName, value: number, labels: Labels = none): void {
    this.record({ metric, value, labels });
  }

  #register(
    name: string,
    definition: MetricDefinition,
    values: Readonly<Record<string, readonly string[]>>,
  ): void {
    const allowed = new Map(
      Object.entries(definition.labels).map(([label, listed]) => {
        const known = listed ?? values[label];
        return [label, known === undefined ? null : new Set(known)] as const;
      }),
    );
    const options = {
      name,
      help: definition.help,
      labelNames: [...allowed.keys()],
      registers: [this.#registry],
    };
    const metric =
      definition.type === "counter"
        ? new Counter(options)
        : definition.type === "gauge"
          ? new Gauge(options)
          : new Histogram({ ...options, buckets: [...(definition.buckets ?? [])] });
    this.#metrics.set(name, { metric, allowed });
    this.#zero(name);
  }

  /** A value that is not listed counts as `other`, and is told: a label must never grow with what the world sends. */
  #bounded(metric: string, { allowed }: Registered, labels: Labels): Labels {
    let bounded = labels;
    for (const label in labels) {
      const values = allowed.get(label);
      const value = labels[label];
      if (values === null || values === undefined) continue;
      if (value === undefined || value === "other" || values.has(value)) continue;
      bounded = { ...bounded, [label]: "other" };
      this.#unlisted?.note(metric, label, value);
      this.add("sluice_process_unlisted_values_total", 1);
    }
    return bounded;
  }

  /** Makes every series that is known beforehand, and sets gauges to 0. */
  #zero(name: string): void {
    const registered = this.#metrics.get(name);
    if (registered === undefined) return;
    for (const labels of combinations(registered.allowed)) {
      if (registered.metric instanceof Counter) registered.metric.inc(labels, 0);
      else if (registered.metric instanceof Gauge) registered.metric.set(labels, 0);
      else registered.metric.zero(labels);
    }
  }
}

function combinations(allowed: Registered["allowed"]): readonly Record<string, string>[] {
  let found: Record<string, string>[] = [{}];
  for (const [label, values] of allowed) {
    if (values === null) return [];
    found = found.flatMap((labels) => [...values].map((value) => ({ ...labels, [label]: value })));
  }
  return found;
}
