import { metricDefinitions, serviceNames, units, type MetricDefinition } from "@sluice/telemetry";
import { describe, expect, test } from "vitest";
import { tokensOf } from "./source-tokens.ts";
import { allSources, filesOf } from "./workspace.ts";

const table = Object.entries(metricDefinitions) as [string, MetricDefinition][];
const production = allSources.filter(({ forTests, path }) => !forTests && !path.startsWith("tests/"));
const isSentence = (text: string): boolean => /^[\p{Lu}0-9`/].*[.]$/su.test(text) && text.includes(" ");

/** The one name that others than we depend on: what fetchers are scaled by. */
const exempt: ReadonlySet<string> = new Set(["sluice_fetch_ready"]);
/** Not of one service: what every process, and every service of the runtime, has. */
const shared = ["runtime", "process"];

const usesOf = (texts: readonly { readonly path: string; readonly text: string }[]) =>
  texts.flatMap(({ path, text }) =>
    tokensOf(text)
      .filter(({ text: name }) => /^sluice_[a-z_]+$/.test(name))
      .map(({ line, text: name }) => ({ name, place: `${path}:${line} ${name}` })),
  );

describe("metrics", () => {
  test("each is named by its service, a thing and its unit, with _total for counters and _limit for limits", () => {
    const odd = table.filter(([name, { type, unit, services }]) => {
      if (exempt.has(name)) return false;
      const [first = ""] = services;
      const owner = shared.find((each) => name.startsWith(`sluice_${each}_`)) ?? first.replaceAll("-", "_");
      const ending = type === "counter" ? "_total" : type === "gauge" ? "(_limit)?" : "";
      return !new RegExp(`^sluice_${owner}_([a-z]+_)*${unit}${ending}$`).test(name);
    });
    expect(odd.map(([name]) => name)).toEqual([]);
  });

  test("each has a sentence of help, a unit that is listed, and services that exist and are those of its name", () => {
    for (const [name, { help, unit, services }] of table) {
      expect(isSentence(help), name).toBe(true);
      expect(units, name).toContain(unit);
      expect(services.length, name).toBeGreaterThan(0);
      expect(services.filter((each) => !serviceNames.includes(each))).toEqual([]);
      if (!shared.some((each) => name.startsWith(`sluice_${each}_`))) expect(services, name).toHaveLength(1);
    }
    expect([...serviceNames].sort()).toEqual(
      filesOf("services", "*/package.json")
        .map((path) => path.split("/")[1])
        .sort(),
    );
  });

  test("a limit has the same unit and services as what it limits", () => {
    const limits = table.filter(([name]) => name.endsWith("_limit"));
    const named = new Map(table);
    for (const [name, { unit, services }] of limits) {
      const limited = named.get(name.slice(0, -"_limit".length));
      // The rows of the sink's limit are those waiting and those in a batch; the heap is one kind of memory.
      if (limited === undefined) {
        expect(["sluice_result_sink_unwritten_rows_limit", "sluice_process_heap_bytes_limit"]).toContain(
          name,
        );
        continue;
      }
      expect({ name, unit: limited.unit, services: limited.services }).toEqual({ name, unit, services });
    }
    expect(limits.length).toBeGreaterThan(8);
  });

  test("only histograms have buckets, and theirs rise", () => {
    for (const [name, { type, buckets = [] }] of table) {
      expect(buckets.length > 0, name).toBe(type === "histogram");
      expect(
        [...buckets].sort((a, b) => a - b),
        name,
      ).toEqual(buckets);
    }
  });

  test("none is labelled with something that has no bound, and few have more than 64 series", () => {
    for (const [name, { labels }] of table) {
      for (const label of Object.keys(labels))
        expect(["url", "url_id", "domain", "host", "job", "key", "service"], name).not.toContain(label);
      const series = Object.values(labels).reduce((all, values) => all * (values?.length ?? 1), 1);
      expect(series, name).toBeLessThanOrEqual(64);
    }
  });

  test("each is counted, set or observed somewhere outside the table", () => {
    const places = usesOf(production.filter(({ path }) => !path.startsWith("libs/telemetry/src/metrics")));
    const told = new Set(
      places.filter(({ place }) => /^(libs|services)\//.test(place)).map(({ name }) => name),
    );
    expect(table.map(([name]) => name).filter((name) => !told.has(name))).toEqual([]);
  });

  test("a name that looks like a metric is in the table", () => {
    const unknown = usesOf(production).filter(({ name }) => !(name in metricDefinitions));
    expect(unknown.map(({ place }) => place)).toEqual([]);
  });
});
