/** Dashboards as they lie in the repository. */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../architecture/workspace.ts";

export interface PanelFile {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly datasource?: unknown;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly {
    readonly refId: string;
    readonly datasource: unknown;
    readonly expr: string;
    readonly legendFormat: string;
  }[];
  readonly fieldConfig?: { readonly defaults: { readonly unit: string } };
}

export interface Variable {
  readonly name: string;
  readonly label: string;
  readonly type: string;
  readonly query: unknown;
  readonly definition?: string;
  readonly datasource?: unknown;
  readonly refresh: number;
  readonly multi?: boolean;
  readonly includeAll?: boolean;
  readonly allValue?: string;
}

export interface DashboardFile {
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly editable: boolean;
  readonly schemaVersion: number;
  readonly templating: { readonly list: readonly Variable[] };
  readonly panels: readonly PanelFile[];
}

const folder = "deploy/grafana/dashboards";

export const dashboardFiles: readonly DashboardFile[] = globSync("*.json", { cwd: join(root, folder) })
  .toSorted()
  .map((file) => JSON.parse(readFileSync(join(root, folder, file), "utf8")) as DashboardFile);

/** One query of a panel that shows something; rows show nothing. */
export interface Query {
  /** `dashboard › panel › A`. */
  readonly place: string;
  readonly panel: PanelFile;
  readonly expression: string;
  readonly legend: string;
}

export const panelsOf = (dashboard: DashboardFile): readonly PanelFile[] =>
  dashboard.panels.filter(({ type }) => type !== "row");

export const queries: readonly Query[] = dashboardFiles.flatMap((dashboard) =>
  panelsOf(dashboard).flatMap((panel) =>
    (panel.targets ?? []).map(({ refId, expr, legendFormat }) => ({
      place: `${dashboard.title} › ${panel.title} › ${refId}`,
      panel,
      expression: expr,
      legend: legendFormat,
    })),
  ),
);

/** A query as Grafana sends it, with everything chosen that can be. */
export const substituted = (expression: string, rateInterval: string): string =>
  expression
    .replaceAll("$__rate_interval", rateInterval)
    .replaceAll("$job", ".+")
    .replaceAll("$instance", ".+");
