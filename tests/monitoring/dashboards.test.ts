/** The rules of Grafana's dashboard-linter, which can't be installed everywhere, and some of our own. */
import { metricDefinitions, type MetricDefinition } from "@sluice/telemetry";
import { describe, expect, test } from "vitest";
import { dashboardFiles, panelsOf, queries, substituted } from "./dashboard-file.ts";
import { metricsIn, selectorsIn } from "./expressions.ts";
import { hasPromtool, promtoolReads } from "./promtool.ts";

const table = metricDefinitions as Readonly<Record<string, MetricDefinition>>;
const datasource = { type: "prometheus", uid: "${datasource}" };
const grafanaUnits = new Set([
  "none",
  "short",
  "percentunit",
  "s",
  "bytes",
  "Bps",
  "ops",
  "reqps",
  "recps",
  "rowsps",
  "cps",
]);

/** The metric of the table that a series belongs to. */
const metricOf = (series: string): string =>
  series in table ? series : series.replace(/_(bucket|sum|count)$/, "");

const offences = (isWrong: (query: (typeof queries)[number]) => boolean): readonly string[] =>
  queries.filter(isWrong).map(({ place, expression }) => `${place}: ${expression}`);

describe.each(dashboardFiles.map((dashboard) => [dashboard.title, dashboard] as const))(
  "the dashboard %s",
  (_, dashboard) => {
    const variable = (name: string) => dashboard.templating.list.find((each) => each.name === name);

    test("lets the source of data be chosen (template-datasource)", () => {
      expect(variable("datasource")).toMatchObject({
        label: "Data source",
        type: "datasource",
        query: "prometheus",
      });
    });

    test.each(["job", "instance"])(
      "lets several of each %s be chosen, or all (template-job, -instance)",
      (name) => {
        expect(variable(name)).toMatchObject({
          label: name === "job" ? "Job" : "Instance",
          type: "query",
          datasource,
          multi: true,
          includeAll: true,
          allValue: ".+",
        });
      },
    );

    test("looks for values anew when the time range changes (template-on-time-change-reload)", () => {
      for (const name of ["job", "instance"]) expect(variable(name)?.refresh).toBe(2);
    });

    test("fills its variables from a metric that is there (template-label-promql)", () => {
      for (const name of ["job", "instance"]) {
        const [, metric = "", label] =
          /^label_values\((\w+)(?:\{job=~"\$job"\})?, (\w+)\)$/.exec(variable(name)?.definition ?? "") ?? [];
        expect(table[metric]?.type).toBe("gauge");
        expect(label).toBe(name);
      }
    });

    test("is not edited in place (uneditable-dashboard) and has an address of its own", () => {
      expect(dashboard.editable).toBe(false);
      expect(dashboard.uid).toMatch(/^sluice-[a-z]+$/);
      expect(dashboard.description).toMatch(/\.$/);
    });

    test("has panels with title and description, each title once (panel-title-description)", () => {
      const panels = panelsOf(dashboard);
      expect(panels.length).toBeGreaterThan(5);
      for (const { title, description = "" } of panels) {
        expect(title).toMatch(/^[A-Z]/);
        expect(description, title).toMatch(/^.{10,}\.$/);
      }
      expect(new Set(panels.map(({ title }) => title)).size).toBe(panels.length);
    });

    test("has panels with a source, a unit and a query (panel-datasource, -units, -no-targets)", () => {
      for (const { title, datasource: source, fieldConfig, targets = [] } of panelsOf(dashboard)) {
        expect(source, title).toEqual(datasource);
        expect(grafanaUnits, title).toContain(fieldConfig?.defaults.unit);
        expect(targets.length, title).toBeGreaterThan(0);
        for (const target of targets) expect(target.datasource, title).toEqual(datasource);
        expect(new Set(targets.map(({ refId }) => refId)).size, title).toBe(targets.length);
      }
    });

    test("has no panel over another or beyond the edge, and ids that are different", () => {
      const taken = new Set<string>();
      for (const { title, gridPos } of dashboard.panels) {
        expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24);
        for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
          for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
            expect(taken.has(`${x},${y}`), `${title} at ${x},${y}`).toBe(false);
            taken.add(`${x},${y}`);
          }
        }
      }
      expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
    });
  },
);

describe("a query of a dashboard", () => {
  test.skipIf(!hasPromtool)("is one that Prometheus can read (target-promql)", () => {
    expect(promtoolReads(queries.map(({ expression }) => substituted(expression, "5m")))).toMatchObject({
      ok: true,
    });
  });

  test("asks only for metrics of the table, by labels that they have", () => {
    expect(queries.length).toBeGreaterThan(80);
    expect(
      offences(({ expression }) => metricsIn(expression).some((name) => !(metricOf(name) in table))),
    ).toEqual([]);
    const scraped = ["job", "instance", "service", "le"];
    expect(
      offences(({ expression }) => {
        const known = metricsIn(expression).flatMap((name) =>
          Object.keys(table[metricOf(name)]?.labels ?? {}),
        );
        const asked = [...expression.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, labels = ""]) =>
          labels.split(", "),
        );
        return asked.some((label) => !known.includes(label) && !scraped.includes(label));
      }),
    ).toEqual([]);
  });

  test("follows the variables in every selector (target-job, target-instance)", () => {
    expect(
      offences(({ expression }) => {
        const selectors = selectorsIn(expression);
        return (
          selectors.length !== metricsIn(expression).length ||
          selectors.some(
            ({ matchers }) =>
              !matchers.includes('job=~"$job"') || !matchers.includes('instance=~"$instance"'),
          )
        );
      }),
    ).toEqual([]);
  });

  test("takes rates over what fits the resolution (target-rate-interval)", () => {
    expect(
      offences(({ expression }) =>
        [...expression.matchAll(/\[([^\]]*)\]/g)].some(([, range]) => range !== "$__rate_interval"),
      ),
    ).toEqual([]);
  });

  test("takes rates of counters and of nothing else (target-counter-agg)", () => {
    const isCounter = (series: string): boolean =>
      table[metricOf(series)]?.type === "counter" || /_(bucket|sum|count)$/.test(series);
    expect(
      offences(({ expression }) =>
        selectorsIn(expression).some(
          ({ metric, inside }) => isCounter(metric) !== (inside[0] === "rate" || inside[0] === "increase"),
        ),
      ),
    ).toEqual([]);
  });

  test("names its series by labels that it keeps", () => {
    expect(
      offences(({ expression, legend }) =>
        [...legend.matchAll(/\{\{(\w+)\}\}/g)].some(
          ([, label = ""]) => !new RegExp(`\\bby \\((?:[a-z, ]*, )?${label}(?:,|\\))`).test(expression),
        ),
      ),
    ).toEqual([]);
  });
});

test("every metric of the table is shown on a dashboard", () => {
  const asked = new Set(queries.flatMap(({ expression }) => metricsIn(expression).map(metricOf)));
  expect(Object.keys(table).filter((name) => !asked.has(name))).toEqual([]);
});
