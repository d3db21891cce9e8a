import { globSync } from "node:fs";
import { basename, join } from "node:path";
import { metricDefinitions, serviceNames, type MetricDefinition } from "@sluice/telemetry";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { alertList, alerts, runbookOf, type AlertName } from "../../scripts/monitoring/alerts.ts";
import { jobName } from "../../scripts/monitoring/prometheus-config.ts";
import { recordingRules } from "../../scripts/monitoring/recording-rules.ts";
import { read, root } from "../architecture/workspace.ts";
import { seriesText, type Input } from "./alert-case.ts";
import { alertCases } from "./alert-cases.ts";
import { metricsIn } from "./expressions.ts";
import { hasPromtool, promtool, promtoolOn, promtoolReads } from "./promtool.ts";

const rulesPath = "deploy/prometheus/rules/sluice.yaml";
const names = alertList.map(([name]) => name);
const { groups } = parse(read(rulesPath)) as {
  readonly groups: readonly {
    readonly name: string;
    readonly rules: readonly { readonly alert?: string }[];
  }[];
};

if (!hasPromtool) process.stderr.write("parts of tests/monitoring are skipped: promtool not found\n");

/** The case of one alert as promtool reads it: no alarm in any minute before the last, then what is due. */
function promtoolTest(name: AlertName, given: readonly Input[], lastMinute: number, due: readonly object[]) {
  return {
    name,
    interval: "1m",
    input_series: given.map((each) => ({ series: seriesText(each), values: each.values })),
    alert_rule_test: Array.from({ length: lastMinute + 1 }, (_, minute) => ({
      eval_time: `${minute}m`,
      alertname: name,
      exp_alerts: minute === lastMinute ? due : [],
    })),
  };
}

/** Runs a case against what the generated rules say of its alert, and what they record. */
function run(test: ReturnType<typeof promtoolTest>) {
  const ofAlert = groups.map(({ name, rules }) => ({
    name,
    rules: rules.filter(({ alert }) => alert === undefined || alert === test.name),
  }));
  const cases = {
    rule_files: ["sluice.yaml"],
    evaluation_interval: "1m",
    // What is recorded first, then what asks for it: otherwise their order is left to chance.
    group_eval_order: groups.map(({ name }) => name),
    tests: [test],
  };
  return promtoolOn(
    ["test", "rules"],
    { "sluice.yaml": JSON.stringify({ groups: ofAlert }), "cases.yaml": JSON.stringify(cases) },
    "cases.yaml",
  );
}

const firing = (name: AlertName) => {
  const { given, atMinute, alerts: due } = alertCases[name].fires;
  const { severity, summary } = alerts[name];
  return promtoolTest(
    name,
    given,
    atMinute,
    due.map(({ labels, description }) => ({
      exp_labels: { ...labels, severity },
      exp_annotations: { summary, description, runbook_url: runbookOf(name) },
    })),
  );
};

const silent = (name: AlertName) => {
  const { given, atMinute } = alertCases[name].quiet;
  return promtoolTest(name, given, atMinute, []);
};

describe("an alert", () => {
  test.skipIf(!hasPromtool).each(names)(
    "%s fires when it is due and no sooner, with its figures in its description",
    (name) => {
      expect(run(firing(name))).toMatchObject({ ok: true });
    },
  );

  test.skipIf(!hasPromtool).each(names.map((name) => [name, alertCases[name].quiet.because] as const))(
    "%s does not fire where %s",
    (name) => {
      expect(run(silent(name))).toMatchObject({ ok: true });
    },
  );

  test.skipIf(!hasPromtool)("that should not fire is found, and one that should", () => {
    const { fires, quiet } = alertCases.SluiceNoProgress;
    const test = (given: readonly Input[], due: readonly object[]) =>
      run(promtoolTest("SluiceNoProgress", given, fires.atMinute, due));
    const due = firing("SluiceNoProgress").alert_rule_test.at(-1)?.exp_alerts ?? [];
    expect(test(fires.given, due)).toMatchObject({ ok: true });
    expect(test(fires.given, [])).toMatchObject({ ok: false });
    expect(test(quiet.given, due)).toMatchObject({ ok: false });
  });

  test("has its cases from series of the table, each with labels that it has", () => {
    for (const { fires, quiet } of Object.values(alertCases)) {
      expect(fires.alerts.length).toBeGreaterThan(0);
      expect(fires.given).not.toEqual(quiet.given);
      for (const series of [...fires.given, ...quiet.given]) expectKnown(series);
    }
  });

  test("has a runbook, and every runbook an alert", () => {
    const pages = globSync("*.md", { cwd: join(root, "docs/runbooks") }).map((file) => basename(file, ".md"));
    expect(pages.toSorted()).toEqual(names.toSorted());
  });

  test.each(alertList)(
    "%s says what is wrong, how badly, for how long, and keeps its installation",
    (name, alert) => {
      expect(name).toMatch(/^Sluice([A-Z][a-z]+)+$/);
      expect(alert.summary).toMatch(/^[A-Z].{10,70}[^.]$/);
      expect(alert.description).toMatch(/^.{20,}\.$/);
      expect(alert.for).toMatch(/^[1-9]\d*[mh]$/);
      const labels = [...alert.description.matchAll(/\$labels\.(\w+)/g)].map((match) => match[1] ?? "");
      for (const label of labels)
        expect(alert.expression, label).toMatch(new RegExp(`(?<![a-z])${label}(?![a-z])|up{`));
      if (name !== "SluiceMetricsMissing") expect(alert.expression).toMatch(/\bjob\b|job_|job:|up{/);
    },
  );
});

describe("the rules", () => {
  const expressions = [
    ...alertList.map(([, alert]) => alert.expression),
    ...Object.values(recordingRules),
  ] as const;

  test.skipIf(!hasPromtool)("are rules to Prometheus, without anything that its linter would say", () => {
    expect(promtool("check", "rules", "--lint=all", "--lint-fatal", join(root, rulesPath))).toMatchObject({
      ok: true,
    });
  });

  test("ask only for metrics of the table and for what is recorded", () => {
    const recordedNames = new Set(Object.keys(recordingRules));
    for (const expression of expressions) {
      const unknown = metricsIn(expression).filter((name) => !recordedNames.has(name) && !isExported(name));
      expect(unknown, expression).toEqual([]);
    }
    for (const name of recordedNames)
      expect(
        expressions.some((expression) => expression.includes(name)),
        name,
      ).toBe(true);
  });

  test("record names that tell labels, metric and operation", () => {
    for (const name of Object.keys(recordingRules))
      expect(name).toMatch(/^[a-z_]+:sluice_[a-z_]+:[a-z0-9]+$/);
  });

  test.skipIf(!hasPromtool)("an expression that is none is found", () => {
    expect(promtoolReads(["sum by (job) (up)"])).toMatchObject({ ok: true });
    expect(promtoolReads(["sum by (job (up)"])).toMatchObject({ ok: false });
  });
});

describe("the configuration of Prometheus", () => {
  const path = "deploy/prometheus/prometheus.yml";
  const config = parse(read(path)) as {
    readonly rule_files: readonly string[];
    readonly scrape_configs: readonly {
      readonly job_name: string;
      readonly dns_sd_configs: readonly { names: readonly string[]; type: string; port: number }[];
    }[];
  };

  test.skipIf(!hasPromtool)("is one to Prometheus", () => {
    expect(promtool("check", "config", join(root, path))).toMatchObject({ ok: true });
  });

  test("finds every replica of every service by its name in docker compose", () => {
    const compose = parse(read("docker-compose.yml"), { merge: true }) as {
      services: Readonly<Record<string, { environment: Readonly<Record<string, string>> }>>;
    };
    const [scrape] = config.scrape_configs;
    expect(scrape?.job_name).toBe(jobName);
    expect(scrape?.dns_sd_configs[0]).toMatchObject({ names: serviceNames, type: "A" });
    const inImage = /SLUICE_ADMIN_PORT=(\d+)/.exec(read("deploy/Dockerfile"))?.[1];
    for (const name of serviceNames)
      expect(compose.services[name]?.environment["SLUICE_ADMIN_PORT"] ?? inImage).toBe(
        String(scrape?.dns_sd_configs[0]?.port),
      );
  });

  test("names the generated rules", () => {
    const [glob = ""] = config.rule_files;
    expect(globSync(glob, { cwd: join(root, "deploy/prometheus") })).toEqual(["rules/sluice.yaml"]);
  });
});

function isExported(name: string): boolean {
  if (name in metricDefinitions) return true;
  const base = name.replace(/_(bucket|sum|count)$/, "");
  const definition = (metricDefinitions as Readonly<Record<string, MetricDefinition>>)[base];
  return definition?.type === "histogram";
}

function expectKnown({ name, labels }: Input): void {
  if (name === "up") return;
  expect(isExported(name), name).toBe(true);
  const { labels: declared, services } = (metricDefinitions as Readonly<Record<string, MetricDefinition>>)[
    name.replace(/_bucket$/, "")
  ] as MetricDefinition;
  for (const [label, value] of Object.entries(labels)) {
    if (label === "job" || label === "instance" || label === "le") continue;
    const allowed = label === "service" ? services : declared[label];
    expect(allowed, `${name} ${label}`).not.toBeUndefined();
    if (allowed !== null) expect(allowed, `${name} ${label}`).toContain(value);
  }
}
