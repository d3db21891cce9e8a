/** PromQL over the metrics of the table: a name, label or value that is not in it does not compile. */
import { metricDefinitions, type MetricName } from "@sluice/telemetry";

type Definitions = typeof metricDefinitions;
type OfType<Type> = {
  [Name in MetricName]: Definitions[Name]["type"] extends Type ? Name : never;
}[MetricName];
type LabelsOf<Name extends MetricName> = Definitions[Name]["labels"];
type ValuesOf<Values> = Values extends readonly (infer Value extends string)[] ? Value : string;
type OneOrMore<Value> = Value | readonly Value[];

export type CounterName = OfType<"counter">;
export type GaugeName = OfType<"gauge">;
export type HistogramName = OfType<"histogram">;

/** Labels of a metric with one allowed value, or several. */
export type Matchers<Name extends MetricName> = {
  readonly [Label in keyof LabelsOf<Name>]?: OneOrMore<ValuesOf<LabelsOf<Name>[Label]>>;
} & { readonly service?: OneOrMore<Definitions[Name]["services"][number]> };

type KeysOf<Labels> = Labels extends Labels ? keyof Labels : never;

/** What may stand in `by (…)`: labels of the table, and those that the scrape adds. */
export type LabelName = Exclude<KeysOf<Definitions[MetricName]["labels"]>, symbol | number> | ScrapeLabel;
export type ScrapeLabel = "job" | "service" | "instance";

/** Selectors that all carry the same matchers of the scrape, and rates that all have the same range. */
export interface Promql {
  gauge<Name extends GaugeName>(name: Name, matchers?: Matchers<Name>): string;
  /** Per second. */
  rate<Name extends CounterName>(name: Name, matchers?: Matchers<Name>, range?: string): string;
  increase<Name extends CounterName>(name: Name, matchers?: Matchers<Name>, range?: string): string;
  /** Upper bound of the share `quantile` of what was observed, for each group of the labels. */
  quantile<Name extends HistogramName>(
    quantile: number,
    name: Name,
    by?: readonly LabelName[],
    matchers?: Matchers<Name>,
  ): string;
}

export function promql(scope: readonly string[], range: string): Promql {
  const select = (name: string, matchers: object = {}): string => {
    const all = [
      ...scope,
      ...Object.entries(matchers as Readonly<Record<string, OneOrMore<string>>>).map(([label, value]) =>
        typeof value === "string"
          ? `${label}="${value}"`
          : `${label}=~"${value.map((each) => each.replaceAll(".", "\\\\.")).join("|")}"`,
      ),
    ];
    return all.length === 0 ? name : `${name}{${all.join(",")}}`;
  };
  return {
    gauge: (name, matchers) => select(name, matchers),
    rate: (name, matchers, over = range) => `rate(${select(name, matchers)}[${over}])`,
    increase: (name, matchers, over = range) => `increase(${select(name, matchers)}[${over}])`,
    quantile: (quantile, name, by = [], matchers) =>
      `histogram_quantile(${quantile}, sum by (${["le", ...by].join(", ")}) (rate(${select(`${name}_bucket`, matchers)}[${range}])))`,
  };
}

export const sum = (by: readonly LabelName[], expression: string): string =>
  `sum by (${by.join(", ")}) (${expression})`;

export const max = (by: readonly LabelName[], expression: string): string =>
  `max by (${by.join(", ")}) (${expression})`;
