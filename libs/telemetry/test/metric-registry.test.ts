import { describe, expect, test } from "vitest";
import {
  Metrics,
  metricDefinitions,
  serviceNames,
  UnlistedValues,
  type MetricDefinition,
  type UnlistedValue,
} from "../src/index.ts";

/** Series of a text of metrics: name with labels, and value. */
async function seriesOf(metrics: Metrics): Promise<ReadonlyMap<string, number>> {
  const lines = (await metrics.text()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.split(" ").at(-1))]));
}

const topic = ["crawl.seeds", "crawl.links"];

describe("the metrics of a process", () => {
  test.each(serviceNames)("%s has its own and no others, and not too many series", async (service) => {
    const series = await seriesOf(new Metrics({ service, values: { topic } }));
    const names = (Object.entries(metricDefinitions) as [string, MetricDefinition][])
      .filter(([, { services }]) => services.includes(service))
      .map(([name]) => name);
    const nameOf = (key: string): string => key.split("{")[0] ?? "";
    const shown = new Set([...series.keys()].map((key) => nameOf(key).replace(/_(bucket|sum|count)$/, "")));
    const unknownBeforehand = names.filter((name) => Object.values(definition(name).labels).includes(null));
    if (service === "api") expect(names.filter((name) => !shown.has(name))).toEqual(unknownBeforehand);
    else expect([...shown].sort()).toEqual([...names].sort());
    expect(series.size).toBeLessThan(300);
  });

  test("every value of a label that is listed is there at 0 before anything has happened", async () => {
    const series = await seriesOf(new Metrics({ service: "fetcher", values: { topic } }));
    const zero = (name: string, labels: string): unknown =>
      series.get(`${name}{${labels},service="fetcher"}`);
    expect(zero("sluice_fetcher_fetched_urls_total", 'category="tls"')).toBe(0);
    expect(zero("sluice_fetcher_requests_total", 'kind="robots",outcome="failed"')).toBe(0);
    expect(zero("sluice_runtime_lag_records", 'topic="crawl.links",state="held"')).toBe(0);
    expect(series.get('sluice_fetcher_request_seconds_count{service="fetcher",kind="page"}')).toBe(0);
  });

  test("a value that no label lists is counted, and told once a minute with how often it came", async () => {
    const told: UnlistedValue[] = [];
    let nowMs = 0;
    const unlisted = new UnlistedValues(
      (value) => told.push(value),
      () => nowMs,
    );
    const metrics = new Metrics({ service: "fetcher", values: { topic }, unlisted });
    const fetched = (category: string): void =>
      metrics.add("sluice_fetcher_fetched_urls_total", 1, { category });
    for (let number = 0; number < 5; number += 1) fetched("new");
    fetched("other");
    fetched("tls");
    nowMs = 60_000;
    fetched("new");
    const about = { metric: "sluice_fetcher_fetched_urls_total", label: "category", value: "new" };
    expect(told).toEqual([
      { ...about, count: 1 },
      { ...about, count: 5 },
    ]);
    const count = async (): Promise<unknown> =>
      (await seriesOf(metrics)).get('sluice_process_unlisted_values_total{service="fetcher"}');
    expect(await count()).toBe(6);
    for (let number = 0; number < 1000; number += 1) fetched(`${number}`.repeat(1000));
    expect(await count()).toBe(1006);
    expect(Math.max(...told.map(({ value }) => value.length))).toBe(100);
  });

  test("a value that no label lists counts as other, so the world can't make series", async () => {
    const metrics = new Metrics({ service: "fetcher", values: { topic } });
    const before = (await seriesOf(metrics)).size;
    for (let number = 0; number < 100; number += 1) {
      metrics.add("sluice_fetcher_fetched_urls_total", 1, { category: `new-${number}` });
      metrics.add("sluice_fetcher_refused_urls_total", 1, { reason: `new-${number}` });
    }
    const series = await seriesOf(metrics);
    expect(series.get('sluice_fetcher_fetched_urls_total{category="other",service="fetcher"}')).toBe(100);
    expect(series.size).toBe(before + 1);
  });

  test("gauges that are told together add up by series, and one that is not told again is 0", async () => {
    const metrics = new Metrics({ service: "frontier", values: { topic } });
    const hosts = (state: string, value: number) =>
      ({ metric: "sluice_frontier_hosts", value, labels: { state } }) as const;
    metrics.setAll([hosts("ready", 3), hosts("window", 1), hosts("ready", 4)]);
    const key = (state: string): string => `sluice_frontier_hosts{state="${state}",service="frontier"}`;
    expect((await seriesOf(metrics)).get(key("ready"))).toBe(7);
    metrics.setAll([hosts("held", 2)]);
    const series = await seriesOf(metrics);
    expect([series.get(key("ready")), series.get(key("held"))]).toEqual([0, 2]);
    // Nor does one stay when nothing at all is told of its metric.
    metrics.setAll([]);
    expect((await seriesOf(metrics)).get(key("held"))).toBe(0);
  });

  test("what another service measures changes nothing here", async () => {
    const metrics = new Metrics({ service: "rate-limit", values: { topic } });
    metrics.add("sluice_fetcher_expired_urls_total", 1);
    expect(await metrics.text()).not.toContain("sluice_fetcher");
  });

  test("a process tells its memory, its CPU time and how late its loop is", async () => {
    const metrics = new Metrics({ service: "api" });
    const series = await seriesOf(metrics);
    const value = (name: string, labels: string): number =>
      series.get(`sluice_process_${name}{${labels}service="api"}`) ?? NaN;
    expect(value("memory_bytes", 'kind="resident",')).toBeGreaterThan(10_000_000);
    expect(value("heap_bytes_limit", "")).toBeGreaterThan(value("memory_bytes", 'kind="heap_used",'));
    const cpu = value("cpu_seconds_total", 'mode="user",');
    expect(cpu).toBeGreaterThan(0);
    expect(value("start_time_seconds", "") * 1000).toBeLessThanOrEqual(Date.now());
    expect(value("event_loop_delay_seconds", 'quantile="1",')).toBeGreaterThanOrEqual(0);
    const again = await seriesOf(metrics);
    // Told as a total, however often it is asked for.
    expect(again.get('sluice_process_cpu_seconds_total{mode="user",service="api"}')).toBeGreaterThanOrEqual(
      cpu,
    );
    expect(again.get('sluice_process_cpu_seconds_total{mode="user",service="api"}')).toBeLessThan(cpu + 5);
  });
});

function definition(name: string): MetricDefinition {
  return (metricDefinitions as Readonly<Record<string, MetricDefinition>>)[name] as MetricDefinition;
}
