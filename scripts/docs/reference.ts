/** Every page of the reference: path from the root of the repository, and its text. */
import { alertsPage } from "../monitoring/alerts-page.ts";
import { configPage } from "./config-page.ts";
import { errorsPage } from "./errors-page.ts";
import { eventsPage } from "./events-page.ts";
import { metricsPage } from "./metrics-page.ts";
import { runsPage } from "./runs-page.ts";
import { retriesPage } from "./retries-page.ts";
import { schemaFiles } from "./schema-files.ts";
import { topicsPage } from "./topics-page.ts";

export const referenceFolder = "docs/reference";

export function referencePages(): ReadonlyMap<string, string> {
  const pages = new Map<string, string>([
    [`${referenceFolder}/topics.md`, topicsPage()],
    [`${referenceFolder}/config.md`, configPage()],
    [`${referenceFolder}/metrics.md`, metricsPage()],
    [`${referenceFolder}/alerts.md`, alertsPage()],
    [`${referenceFolder}/errors.md`, errorsPage()],
    [`${referenceFolder}/events.md`, eventsPage()],
    [`${referenceFolder}/reliability-runs.md`, runsPage()],
    [`${referenceFolder}/retries.md`, retriesPage()],
  ]);
  for (const [name, text] of schemaFiles()) pages.set(`${referenceFolder}/schemas/${name}`, text);
  return pages;
}
