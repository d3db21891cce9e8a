/** Every file for Prometheus and Grafana: path from the root of the repository, and its text. */
import { dashboardJson } from "./monitoring/dashboard-json.ts";
import { dashboards } from "./monitoring/dashboards.ts";
import {
  dashboardProvisioning,
  datasourceProvisioning,
  scrapeInterval,
} from "./monitoring/grafana-provisioning.ts";
import { prometheusConfig } from "./monitoring/prometheus-config.ts";
import { rulesFile } from "./monitoring/rules-file.ts";

/** Nothing else lies in them. */
export const monitoringFolders: readonly string[] = ["deploy/prometheus", "deploy/grafana"];

const comment = "Generated from scripts/monitoring by `npm run docs`; change it there.";

/** Of every service, in containers. */
const adminPort = 9464;

export function monitoringFiles(): ReadonlyMap<string, string> {
  const files = new Map([
    [
      "deploy/prometheus/prometheus.yml",
      `# ${comment}\n${prometheusConfig({
        scrapeInterval,
        evaluationInterval: scrapeInterval,
        ruleFiles: "rules/*.yaml",
        targets: { kind: "dns", port: adminPort },
      })}`,
    ],
    ["deploy/prometheus/rules/sluice.yaml", rulesFile(comment)],
    ["deploy/grafana/provisioning/datasources/prometheus.yaml", `# ${comment}\n${datasourceProvisioning()}`],
    ["deploy/grafana/provisioning/dashboards/sluice.yaml", `# ${comment}\n${dashboardProvisioning()}`],
  ]);
  for (const dashboard of dashboards)
    files.set(`deploy/grafana/dashboards/${dashboard.uid}.json`, dashboardJson(dashboard));
  return files;
}
