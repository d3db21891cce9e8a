/** The configuration of a Prometheus that watches Sluice. */
import { serviceNames, type ServiceName } from "@sluice/telemetry";
import { stringify } from "yaml";

export interface PrometheusSettings {
  readonly scrapeInterval: string;
  readonly evaluationInterval: string;
  /** As a glob, from the folder of the configuration. */
  readonly ruleFiles: string;
  readonly targets: Targets;
}

type Targets =
  /** Every address that the name of a service has, so that each replica is scraped. */
  | { readonly kind: "dns"; readonly port: number }
  | { readonly kind: "fixed"; readonly addresses: readonly (readonly [ServiceName, string])[] };

/** The installation's name in the label `job`; alerts look at jobs that begin so. */
export const jobName = "sluice";

export function prometheusConfig(settings: PrometheusSettings): string {
  const { scrapeInterval, evaluationInterval, ruleFiles, targets } = settings;
  return stringify(
    {
      global: { scrape_interval: scrapeInterval, evaluation_interval: evaluationInterval },
      rule_files: [ruleFiles],
      scrape_configs: [{ job_name: jobName, honor_labels: true, ...discovery(targets) }],
    },
    { lineWidth: 0 },
  );
}

/** `up` needs the label `service`, too; services put it on all other metrics themselves. */
function discovery(targets: Targets): object {
  switch (targets.kind) {
    case "dns":
      return {
        dns_sd_configs: [
          { names: [...serviceNames], type: "A", port: targets.port, refresh_interval: "10s" },
        ],
        relabel_configs: [{ source_labels: ["__meta_dns_name"], target_label: "service" }],
      };
    case "fixed":
      return {
        static_configs: targets.addresses.map(([service, address]) => ({
          targets: [address],
          labels: { service },
        })),
      };
    default:
      return targets satisfies never;
  }
}
