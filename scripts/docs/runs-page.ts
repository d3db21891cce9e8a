import { join, resolve } from "node:path";
import { readRuns, type RecordedRun } from "../../tests/chaos/runs-file.ts";
import { code, page, table } from "./markdown.ts";

const file = "docs/reliability-runs.json";
const root = resolve(import.meta.dirname, "../..");

/** Figures that every run has, with their column. */
const columns: readonly (readonly [string, string])[] = [
  ["urls", "URLs"],
  ["runs", "runs"],
  ["kills", "kills"],
  ["missing", "missing"],
  ["extra", "extra"],
  ["duplicates", "duplicates"],
  ["politeness_violations", "impolite"],
  ["refetched", "repeated"],
  ["in_flight_at_kills", "under way"],
  ["seconds", "seconds"],
];
/** Said elsewhere, or not here. */
const left = new Set([...columns.map(([name]) => name), "wrong", "slow"]);

export function runsPage(): string {
  const runs = readRuns(join(root, file));
  if (runs.length === 0) return page("Reliability runs", code(file), "No run is recorded yet.");
  return page(
    "Reliability runs",
    code(file),
    "The latest recorded run of each scenario of `npm run chaos`; what the scenarios are, [reliability.md](../reliability.md) says.",
    table(
      ["scenario", ...columns.map(([, title]) => title), "broken"],
      runs.map(({ scenario, line }) => [
        scenario,
        ...columns.map(([name]) => shown(line[name])),
        broken(line),
      ]),
    ),
    "*Repeated* are requests made again, *under way* what had been started and had no result when something died: the first may not exceed the second.",
    ...runs.map((run) => section(run)),
  );
}

function section({ scenario, command, commit, date, line }: RecordedRun): string {
  const figures = Object.entries(line).filter(([name]) => !left.has(name));
  return [
    `## ${scenario}`,
    `On ${commit}, ${date}: ${code(command)}`,
    table(
      ["figure", "value"],
      figures.map(([name, value]) => [code(name), shown(value)]),
    ),
  ].join("\n\n");
}

function broken(line: RecordedRun["line"]): string {
  const all = [line["wrong"], line["slow"]].flatMap((each) => (Array.isArray(each) ? each.map(String) : []));
  return all.length === 0 ? "nothing" : all.join("; ");
}

/** A record as `name value`, the rest as it is. */
function shown(value: unknown): string {
  if (value === undefined) return "";
  if (typeof value !== "object" || value === null) return String(value);
  return Object.entries(value)
    .map(([name, each]) => `${name} ${String(each)}`)
    .join(", ");
}
