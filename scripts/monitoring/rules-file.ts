/** Recording and alerting rules as Prometheus reads them. */
import { stringify } from "yaml";
import type { Alert } from "./alert.ts";
import { alertGroups, runbookOf } from "./alerts.ts";
import { recordingRules } from "./recording-rules.ts";

export function rulesFile(comment: string): string {
  const groups = [
    {
      name: "sluice-recorded",
      rules: Object.entries(recordingRules).map(([record, expr]) => ({ record, expr })),
    },
    ...Object.entries(alertGroups).map(([name, alerts]) => ({
      name,
      rules: Object.entries(alerts).map(([alert, definition]) => ruleOf(alert, definition)),
    })),
  ];
  return `# ${comment}\n${stringify({ groups }, { lineWidth: 0 })}`;
}

function ruleOf(name: string, { severity, for: holds, expression, summary, description }: Alert): object {
  return {
    alert: name,
    expr: expression,
    for: holds,
    labels: { severity },
    annotations: { summary, description, runbook_url: runbookOf(name) },
  };
}
