/** What a Grafana reads at its start: where Prometheus is, and where the dashboards lie. */
import { stringify } from "yaml";

/** Folder of the dashboards inside Grafana's container. */
const mountedAt = "/var/lib/grafana/dashboards";

export const datasourceProvisioning = (): string =>
  stringify({
    apiVersion: 1,
    datasources: [
      {
        name: "Prometheus",
        uid: "prometheus",
        type: "prometheus",
        access: "proxy",
        url: "http://prometheus:9090",
        isDefault: true,
        editable: false,
        // As scraped: the smallest range that rates make sense over follows from it.
        jsonData: { timeInterval: scrapeInterval },
      },
    ],
  });

export const dashboardProvisioning = (): string =>
  stringify({
    apiVersion: 1,
    providers: [
      {
        name: "sluice",
        folder: "Sluice",
        type: "file",
        allowUiUpdates: false,
        options: { path: mountedAt },
      },
    ],
  });

/** Of the Prometheus beside it. */
export const scrapeInterval = "15s";
