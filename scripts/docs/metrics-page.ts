import { metricDefinitions, serviceNames, type MetricDefinition } from "@sluice/telemetry";
import { code, page, table } from "./markdown.ts";

type Row = readonly [string, MetricDefinition];

type Section = readonly [string, readonly Row[]];

export function metricsPage(): string {
  const rows = Object.entries(metricDefinitions) as unknown as readonly Row[];
  const sections: readonly Section[] = [
    ...serviceNames.map((service): Section => [
      `Of ${service}`,
      rows.filter(([, { services }]) => isOnly(services, service)),
    ]),
    ["Of several services", rows.filter(([, { services }]) => services.length > 1)],
  ];
  return page(
    "Metrics",
    "`libs/telemetry/src/metrics.ts`",
    "Each service serves its own at `/metrics` on `SLUICE_ADMIN_PORT`, beside `/livez` and `/readyz`. All carry the label `service`. No label is a URL, a host or a job: their number has no bound. Every series whose labels are known beforehand is there from the first scrape on, at 0; a value that is not listed counts as `other`. A gauge that ends with `_limit` is the limit of the one without it.",
    ...sections.flatMap(([title, each]) => [`## ${title}`, table(headOf(each), each.map(rowOf))]),
  );
}

const headOf = (rows: readonly Row[]): readonly string[] => [
  "metric",
  "type",
  ...(isShared(rows) ? ["services"] : []),
  "labels",
  "meaning",
];
const isOnly = (services: readonly string[], service: string): boolean =>
  services.length === 1 && services[0] === service;
const isShared = (rows: readonly Row[]): boolean => rows.some(([, { services }]) => services.length > 1);

function rowOf([name, { type, help, labels, buckets, services }]: Row): readonly string[] {
  const shownLabels = Object.entries(labels).map(
    ([label, values]) => code(label) + (values === null ? "" : `: ${values.join(", ")}`),
  );
  const shownServices = services.length === serviceNames.length ? "all" : services.join(", ");
  return [
    code(name),
    type,
    ...(services.length > 1 ? [shownServices] : []),
    shownLabels.join("; "),
    buckets === undefined ? help : `${help} Buckets: ${buckets.join(", ")}.`,
  ];
}
