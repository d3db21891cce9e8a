import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readRuns } from "./runs-file.ts";

const runs = readRuns(join(import.meta.dirname, "../../docs/reliability-runs.json"));

describe("the runs on record", () => {
  test.each(runs)("kept every promise: $scenario", ({ line }) => {
    expect(line).toMatchObject({ wrong: [], slow: [], missing: 0, extra: 0, politeness_violations: 0 });
  });

  test("a crawl of a million URLs is among them", () => {
    expect(runs.filter(({ line }) => Number(line["urls"]) >= 1_000_000)).not.toEqual([]);
  });
});
