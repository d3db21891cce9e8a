/** Every metric there is: the table of what they are called and mean, in one section for each service. */
import { apiMetrics } from "./metrics/api.ts";
import type { MetricDefinition } from "./metrics/definition.ts";
import { fetcherMetrics } from "./metrics/fetcher.ts";
import { frontierMetrics } from "./metrics/frontier.ts";
import { processMetrics } from "./metrics/process.ts";
import { rateLimitMetrics } from "./metrics/rate-limit.ts";
import { resultSinkMetrics } from "./metrics/result-sink.ts";
import { runtimeMetrics } from "./metrics/runtime.ts";

export const metricDefinitions = {
  ...frontierMetrics,
  ...rateLimitMetrics,
  ...fetcherMetrics,
  ...resultSinkMetrics,
  ...apiMetrics,
  ...runtimeMetrics,
  ...processMetrics,
} as const satisfies Readonly<Record<string, MetricDefinition>>;

export type MetricName = keyof typeof metricDefinitions;

/** A value of a metric: added to a counter, set in a gauge, observed by a histogram. */
export interface Measurement {
  readonly metric: MetricName;
  readonly value: number;
  readonly labels?: Readonly<Record<string, string>>;
}
