import { promql } from "./promql.ts";

/** One condition that a person is told of. */
export interface Alert {
  /** page: now, at night too; ticket: in working hours; note: worth knowing. */
  readonly severity: "page" | "ticket" | "note";
  /** How long it has to hold. */
  readonly for: `${number}${"m" | "h"}`;
  readonly expression: string;
  /** What is wrong, in a line. */
  readonly summary: string;
  /** With the figures, as a template of Prometheus. */
  readonly description: string;
}

export type AlertTable = Readonly<Record<string, Alert>>;

/**
 * Rules look at all that is scraped. The label `job` tells one installation from another, so every
 * condition keeps it.
 */
export const rules = promql([], "5m");
