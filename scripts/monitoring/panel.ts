/** What a panel of a dashboard shows. */

/** Units as Grafana names them. */
export type PanelUnit =
  | "short"
  | "none"
  | "percentunit"
  | "s"
  | "bytes"
  | "Bps"
  | "ops"
  | "reqps"
  | "recps"
  | "cps"
  | "rowsps";

export interface Target {
  readonly expression: string;
  /** Name of a series; `{{label}}` is its value. */
  readonly legend: string;
}

export interface Panel {
  readonly title: string;
  /** What it means, and what to think of it. */
  readonly description: string;
  readonly kind: "timeseries" | "stat";
  readonly unit: PanelUnit;
  readonly targets: readonly Target[];
  /** Series lie on each other: their sum means something. */
  readonly stacked?: boolean;
  /** From this value on the figure is red. */
  readonly redFrom?: number;
}

export interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

export interface Dashboard {
  /** Part of its address in Grafana: never changed. */
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly rows: readonly Row[];
}

type PanelFields = Omit<Panel, "kind" | "targets" | "title" | "unit">;

/** Lines over time. */
export function graph(
  title: string,
  unit: PanelUnit,
  fields: PanelFields,
  ...targets: readonly (readonly [legend: string, expression: string])[]
): Panel {
  return { kind: "timeseries", title, unit, ...fields, targets: targets.map(toTarget) };
}

/** One figure, the latest. */
export function figure(title: string, unit: PanelUnit, fields: PanelFields, expression: string): Panel {
  return { kind: "stat", title, unit, ...fields, targets: [toTarget([title, expression])] };
}

const toTarget = ([legend, expression]: readonly [string, string]): Target => ({ legend, expression });
