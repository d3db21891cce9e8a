import { code, page, table } from "../docs/markdown.ts";
import { alertList, runbookOf } from "./alerts.ts";
import { dashboards } from "./dashboards.ts";
import { recordingRules } from "./recording-rules.ts";

const severities = {
  page: "now, at night too",
  ticket: "in working hours",
  note: "worth knowing, nothing is wrong",
} as const;

/** The reference of what is watched, at `docs/reference/alerts.md`. */
export function alertsPage(): string {
  return page(
    "Alerts and dashboards",
    "`scripts/monitoring`",
    "Rules for Prometheus: `deploy/prometheus/rules/sluice.yaml`. Dashboards for Grafana: `deploy/grafana/dashboards`. How to use them: [monitoring](../monitoring.md).",
    "## Alerts",
    `Severities: ${Object.entries(severities)
      .map(([name, about]) => `${code(name)}: ${about}`)
      .join("; ")}.`,
    table(
      ["alert and runbook", "severity", "for", "what is wrong", "condition"],
      alertList.map(([name, { severity, for: holds, summary, expression }]) => [
        `[${name}](../../${runbookOf(name)})`,
        severity,
        holds,
        summary,
        code(expression),
      ]),
    ),
    "## Recorded",
    table(
      ["series", "expression"],
      Object.entries(recordingRules).map(([name, expression]) => [code(name), code(expression)]),
    ),
    "## Dashboards",
    ...dashboards.flatMap(({ title, description, rows }) => [
      `### ${title}`,
      description,
      table(
        ["panel", "meaning"],
        rows.flatMap(({ panels }) => panels.map((panel) => [panel.title, panel.description])),
      ),
    ]),
  );
}
