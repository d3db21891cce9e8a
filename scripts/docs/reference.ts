/** Every generated page: path from the root of the repository, and its text. */
import { existsSync, globSync, readFileSync } from "node:fs";
import { join, sep } from "node:path";
import { configPage } from "./config-page.ts";
import { errorsPage } from "./errors-page.ts";
import { eventsPage } from "./events-page.ts";
import { metricsPage } from "./metrics-page.ts";
import { schemaFiles } from "./schema-files.ts";
import { topicsPage } from "./topics-page.ts";

const folder = "docs/reference";

export function referencePages(): ReadonlyMap<string, string> {
  const pages = new Map<string, string>([
    [`${folder}/topics.md`, topicsPage()],
    [`${folder}/config.md`, configPage()],
    [`${folder}/metrics.md`, metricsPage()],
    [`${folder}/errors.md`, errorsPage()],
    [`${folder}/events.md`, eventsPage()],
  ]);
  for (const [name, text] of schemaFiles()) pages.set(`${folder}/schemas/${name}`, text);
  return pages;
}

export interface Difference {
  readonly path: string;
  readonly how: "missing" | "out of date" | "of nothing in the code";
}

/** What is on disk and should not be, and what should be and is not. */
export function differences(root: string): readonly Difference[] {
  const pages = referencePages();
  const found: Difference[] = [];
  for (const [path, text] of pages) {
    if (!existsSync(join(root, path))) found.push({ path, how: "missing" });
    else if (readFileSync(join(root, path), "utf8") !== text) found.push({ path, how: "out of date" });
  }
  for (const file of globSync("**/*.{md,json}", { cwd: join(root, folder) })) {
    const path = `${folder}/${file.split(sep).join("/")}`;
    if (!pages.has(path)) found.push({ path, how: "of nothing in the code" });
  }
  return found;
}
