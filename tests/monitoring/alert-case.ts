import type { MetricName } from "@sluice/telemetry";
import type { HistogramName } from "../../scripts/monitoring/promql.ts";

/** One series as promtool makes it up: values a minute, e.g. `0+5x30` for 30 steps of 5. */
export interface Input {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly values: string;
}

export interface Expected {
  /** Beside the severity. */
  readonly labels: Readonly<Record<string, string>>;
  readonly description: string;
}

/** Minutes count from 0. */
export interface AlertCase {
  /** In each minute before, there is no alarm. */
  readonly fires: {
    readonly given: readonly Input[];
    readonly atMinute: number;
    readonly alerts: readonly Expected[];
  };
  /** What comes near it and is no alarm, in any minute until then. */
  readonly quiet: {
    readonly because: string;
    readonly given: readonly Input[];
    readonly atMinute: number;
  };
}

type SeriesName = MetricName | `${HistogramName}_bucket` | "up";

/** A series of the process at `a:9464` in the installation `sluice`, unless the labels say otherwise. */
export const input = (name: SeriesName, labels: Readonly<Record<string, string>>, values: string): Input => ({
  name,
  labels: { job: "sluice", instance: "a:9464", ...labels },
  values,
});

/** `sluice_x{job="sluice"}`. */
export const seriesText = ({ name, labels }: Input): string =>
  `${name}{${Object.entries(labels)
    .map(([label, value]) => `${label}="${value}"`)
    .join(",")}}`;

/** The alert of an installation as a whole, or of what the labels say. */
export const expected = (description: string, labels: Readonly<Record<string, string>> = {}): Expected => ({
  labels: { job: "sluice", ...labels },
  description,
});
