/** A dashboard as Grafana stores it. */
import type { Dashboard, Panel, Row } from "./panel.ts";

const datasource = { type: "prometheus", uid: "${datasource}" };
const columns = 24;
const figureSize = { w: 4, h: 4 };
const graphSize = { w: 8, h: 8 };

/** The JSON that Grafana imports, or loads from a file. */
export function dashboardJson(dashboard: Dashboard): string {
  const { uid, title, description, rows } = dashboard;
  const json = {
    uid,
    title,
    description,
    tags: ["sluice"],
    // Changes belong into the source; a copy may be edited freely.
    editable: false,
    graphTooltip: 1,
    schemaVersion: 39,
    version: 1,
    refresh: "30s",
    time: { from: "now-1h", to: "now" },
    timezone: "browser",
    links: [
      {
        type: "dashboards",
        title: "Sluice",
        tags: ["sluice"],
        asDropdown: true,
        includeVars: true,
        keepTime: true,
      },
    ],
    templating: { list: variables },
    panels: laidOut(rows),
  };
  return `${JSON.stringify(json, null, 2)}\n`;
}

const variables = [
  {
    name: "datasource",
    label: "Data source",
    type: "datasource",
    query: "prometheus",
    regex: "",
    refresh: 1,
    hide: 0,
  },
  labelVariable("job", "Job", "label_values(sluice_process_start_time_seconds, job)"),
  labelVariable(
    "instance",
    "Instance",
    'label_values(sluice_process_start_time_seconds{job=~"$job"}, instance)',
  ),
];

function labelVariable(name: string, label: string, query: string) {
  return {
    name,
    label,
    type: "query",
    datasource,
    query: { query, refId: name },
    definition: query,
    // When the time range changes: what ran then is found, too.
    refresh: 2,
    multi: true,
    includeAll: true,
    allValue: ".+",
    current: { selected: true, text: ["All"], value: ["$__all"] },
    sort: 1,
    hide: 0,
  };
}

/** From left to right, row below row. */
function laidOut(rows: readonly Row[]): readonly object[] {
  const panels: object[] = [];
  let y = 0;
  for (const row of rows) {
    panels.push({
      id: panels.length + 1,
      type: "row",
      title: row.title,
      collapsed: false,
      gridPos: { x: 0, y, w: columns, h: 1 },
      panels: [],
    });
    y += 1;
    let x = 0;
    let height = 0;
    for (const panel of row.panels) {
      const { w, h } = panel.kind === "stat" ? figureSize : graphSize;
      if (x + w > columns) {
        x = 0;
        y += height;
        height = 0;
      }
      panels.push(panelJson(panel, panels.length + 1, { x, y, w, h }));
      x += w;
      height = Math.max(height, h);
    }
    y += height;
  }
  return panels;
}

function panelJson(panel: Panel, id: number, gridPos: object): object {
  const { title, description, kind, unit, targets, stacked = false, redFrom } = panel;
  const thresholds = {
    mode: "absolute",
    steps: [
      { color: "green", value: null },
      ...(redFrom === undefined ? [] : [{ color: "red", value: redFrom }]),
    ],
  };
  return {
    id,
    type: kind,
    title,
    description,
    datasource,
    gridPos,
    targets: targets.map(({ expression, legend }, index) => ({
      refId: String.fromCharCode(65 + index),
      datasource,
      editorMode: "code",
      expr: expression,
      legendFormat: legend,
      range: kind === "timeseries",
      instant: kind === "stat",
    })),
    fieldConfig: {
      defaults: {
        unit,
        min: 0,
        thresholds,
        ...(kind === "stat" ? {} : { custom: lines(stacked, redFrom !== undefined) }),
      },
      overrides: [],
    },
    options:
      kind === "stat"
        ? {
            colorMode: "value",
            graphMode: "none",
            justifyMode: "auto",
            textMode: "value",
            reduceOptions: { calcs: ["lastNotNull"], fields: "", values: false },
          }
        : {
            legend: { displayMode: "list", placement: "bottom", showLegend: true },
            tooltip: { mode: "multi", sort: "desc" },
          },
  };
}

function lines(stacked: boolean, hasThreshold: boolean): object {
  return {
    drawStyle: "line",
    lineWidth: 1,
    fillOpacity: stacked ? 30 : 0,
    showPoints: "never",
    spanNulls: false,
    stacking: { mode: stacked ? "normal" : "none", group: "A" },
    thresholdsStyle: { mode: hasThreshold ? "line" : "off" },
  };
}
