import { metricDefinitions, type MetricDefinition } from "@sluice/telemetry";
import { code, page, table } from "./markdown.ts";

export function metricsPage(): string {
  const rows = (Object.entries(metricDefinitions) as [string, MetricDefinition][]).map(
    ([name, { type, help, labels, buckets }]) => [
      code(name),
      type,
      ["service", ...labels].map(code).join(", "),
      buckets === undefined ? help : `${help} Buckets: ${buckets.join(", ")}.`,
    ],
  );
  return page(
    "Metrics",
    "`libs/telemetry/src/metrics.ts`",
    "Each service serves them at `/metrics` on `SLUICE_ADMIN_PORT`, beside `/livez` and `/readyz`. No label is a URL, a domain or a job: their number has no bound.",
    table(["metric", "type", "labels", "meaning"], rows),
  );
}
