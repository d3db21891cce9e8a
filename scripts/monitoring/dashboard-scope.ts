import { promql, type HistogramName, type LabelName, type Matchers } from "./promql.ts";

/** Every query of a dashboard follows its variables and the resolution it is looked at with. */
export const shown = promql(['job=~"$job"', 'instance=~"$instance"'], "$__rate_interval");

/** The median, and what the slowest twentieth and hundredth take, as three lines. */
export function quantiles<Name extends HistogramName>(
  name: Name,
  matchers?: Matchers<Name>,
): readonly (readonly [string, string])[] {
  return (["0.5", "0.95", "0.99"] as const).map((each) => [
    `p${Number(each) * 100}`,
    shown.quantile(Number(each), name, [], matchers),
  ]);
}

/** The slowest hundredth, for each value of a label. */
export const slowest = (name: HistogramName, by: LabelName): readonly [string, string] => [
  `p99 {{${by}}}`,
  shown.quantile(0.99, name, [by]),
];
