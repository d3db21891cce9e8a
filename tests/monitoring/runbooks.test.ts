import { metricDefinitions } from "@sluice/telemetry";
import { commonSettings, settingsByService, type Setting } from "@sluice/config";
import { describe, expect, test } from "vitest";
import { alertList, runbookOf } from "../../scripts/monitoring/alerts.ts";
import { read } from "../architecture/workspace.ts";
import { metricsIn } from "./expressions.ts";
import { hasPromtool, promtoolReads } from "./promtool.ts";

const pages = alertList.map(([name]) => [name, read(runbookOf(name))] as const);

/** Queries that a page gives. */
const queriesOf = (page: string): readonly string[] =>
  [...page.matchAll(/```promql\n([^`]+)\n```/g)].map(([, query = ""]) => query);

const settings = new Set(
  [commonSettings, ...Object.values(settingsByService)].flatMap((group) =>
    Object.values(group as Readonly<Record<string, Setting>>).map(({ env }) => env),
  ),
);
/** They are variables of nothing. */
const errorCodes = /^SLUICE_(TOPIC_DRIFT|STEP_BROKEN|CONSUMER_DEAD|RECORD_TOO_LARGE)$/;

describe("a runbook", () => {
  test.each(pages)(
    "%s says what is meant, where to look, why, what to do and what not to do",
    (name, page) => {
      expect(page.startsWith(`# ${name}\n\n`)).toBe(true);
      expect([...page.matchAll(/^## (.*)$/gm)].map(([, title]) => title)).toEqual([
        "Look at",
        "Likely causes",
        "Do",
        "Don't",
      ]);
      expect(page).toMatch(/```(promql|sh)\n/);
      expect(page).toMatch(/^1\. /m);
      expect(page.length).toBeLessThan(4000);
    },
  );

  test.skipIf(!hasPromtool)("gives queries that Prometheus can read", () => {
    expect(promtoolReads(pages.flatMap(([, page]) => queriesOf(page)))).toMatchObject({ ok: true });
  });

  test.each(pages)("%s asks only for metrics and names only settings that there are", (_, page) => {
    const asked = queriesOf(page).flatMap((query) => metricsIn(query));
    const named = [...page.matchAll(/`(sluice_[a-z_]+)`/g)].map(([, name = ""]) => name);
    const unknown = [...asked, ...named]
      .map((name) => name.replace(/_bucket$/, ""))
      .filter((name) => !(name in metricDefinitions));
    expect(unknown).toEqual([]);
    const variables = [...page.matchAll(/\bSLUICE_[A-Z_]+/g)].map(([name]) => name);
    expect(variables.filter((name) => !settings.has(name) && !errorCodes.test(name))).toEqual([]);
  });
});

test("the page on monitoring has what no alert asks: a broken rate, duplicates, a slow stop", () => {
  const [, answers = ""] = read("docs/monitoring.md").split("## What no alert asks\n");
  const asked = [...answers.matchAll(/^\*\*(.+?)\.\*\* (.+)/gm)].map(([, question]) => question);
  expect(asked).toEqual(["Requests to a host are too close", "Results are there twice", "A stop takes long"]);
  const variables = [...answers.matchAll(/\bSLUICE_[A-Z_]+/g)].map(([name]) => name);
  expect(variables.filter((name) => !settings.has(name))).toEqual([]);
});
