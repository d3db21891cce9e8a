import { createServer, type AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { ServiceName } from "@sluice/telemetry";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { alertList, type AlertName } from "../../scripts/monitoring/alerts.ts";
import { prometheusConfig } from "../../scripts/monitoring/prometheus-config.ts";
import { recordingRules } from "../../scripts/monitoring/recording-rules.ts";
import { read } from "../architecture/workspace.ts";
import { hasPrometheus, Prometheus } from "../fleet/prometheus.ts";
import { queries, substituted } from "../monitoring/dashboard-file.ts";
import { openGraphWorld } from "./crawl-world.ts";

if (!hasPrometheus) process.stderr.write("prometheus.test.ts is skipped: prometheus not found\n");

const partitions = 4;
/** Generous: machines are slow and noisy. */
const waitMaxMs = 120_000;
const job = "watched";

/** A machine that is overloaded by other tests is on its way to these, and rightly so. */
const ofSlowMachines: readonly AlertName[] = [
  "SluiceTransactionsSlow",
  "SluiceEventLoopBlocked",
  "SluiceGroupSilent",
];

/** Rates reach back over the whole crawl. */
const rateInterval = "2m";

describe.skipIf(!hasPrometheus)("a real Prometheus that scrapes a crawl", () => {
  const cleanups: (() => Promise<void> | void)[] = [];
  let prometheus: Prometheus;

  beforeAll(async () => {
    const { observer, fleet, graph } = await openGraphWorld(61, 10, 14, {
      name: "prometheus-test",
      cleanups,
      partitions,
    });

    const members: readonly (readonly [ServiceName, number])[] = [
      ["frontier", 0],
      ["rate-limit", 0],
      ["fetcher", 0],
      ["fetcher", 1],
      ["result-sink", 0],
      ["api", 0],
    ];
    const ports = await freePorts(members.length + 2);
    const [prometheusPort = 0, apiPort = 0, ...adminPorts] = ports;
    /** With what the services said last, where it fails: their logs go with the test. */
    const told = <Value>(promise: Promise<Value>): Promise<Value> =>
      promise.catch((error: unknown) => {
        const logs = members.map(([service, number]) => {
          const last = fleet.log(service, number).slice(-3);
          return `${service}-${number}: ${last.map((line) => JSON.stringify(line)).join("\n  ")}`;
        });
        throw new Error(`${String(error)}\n${logs.join("\n")}`);
      });
    const start = (index: number): void => {
      const [service, number] = members[index] ?? ["frontier", 0];
      const always = {
        SLUICE_ADMIN_PORT: String(adminPorts[index]),
        ...(service === "api" ? { SLUICE_API_PORT: String(apiPort) } : {}),
      };
      fleet.start(service, number, {}, always);
    };
    prometheus = await Prometheus.start(prometheusPort, {
      "prometheus.yml": prometheusConfig({
        scrapeInterval: "1s",
        evaluationInterval: "1s",
        ruleFiles: "rules/*.yaml",
        targets: {
          kind: "fixed",
          addresses: members.map(([service], index) => [service, `127.0.0.1:${adminPorts[index]}`]),
        },
      }),
      "rules/sluice.yaml": read("deploy/prometheus/rules/sluice.yaml"),
    });
    cleanups.push(() => prometheus.stop());

    // The second fetcher comes when the crawl runs, so that a rebalance is seen, too.
    const late = members.findIndex(([service, number]) => service === "fetcher" && number === 1);
    for (const index of members.keys()) if (index !== late) start(index);
    const api = `http://127.0.0.1:${apiPort}`;
    const apiReady = until("the API", async () => {
      const answer = await fetch(`${api}/readyz`).catch(() => null);
      return answer?.status === 200 ? [] : [`${answer?.status}`];
    });
    await told(apiReady);
    await until("a first scrape of each", async () => {
      const scraped = await prometheus.query("sluice_process_start_time_seconds");
      return scraped.length >= members.length - 1 ? [] : scraped.map(({ labels }) => JSON.stringify(labels));
    });

    await observer.submit({
      id: job,
      seeds: [0, 1, 2, 3, 4].map((host) => graph.url(host, "/")),
      scope: { kind: "any" },
      politeness: { delayMs: 500 },
    });
    await told(observer.until("some results", () => observer.results.length >= 20, waitMaxMs));
    start(late);
    // What the panels about the API show: a list, and both kinds of streams.
    const going = new AbortController();
    const clients = Promise.all([
      drained(`${api}/v1/jobs/${job}/events`, going.signal),
      drained(`${api}/v1/jobs/${job}/results`, going.signal),
    ]);
    for (let asked = 0; asked < 3; asked += 1) {
      await (await fetch(`${api}/v1/jobs`)).text();
      await sleep(1500);
    }
    await told(observer.ended(job, waitMaxMs));
    going.abort();
    await clients;
  });

  afterAll(async () => {
    for (const cleanup of cleanups.toReversed()) await cleanup();
  });

  test("gets data for every query of every panel", async () => {
    expect(queries.length).toBeGreaterThan(80);
    await until("data for every panel", () =>
      missing(queries.map(({ place, expression }) => [place, substituted(expression, rateInterval)])),
    );
  });

  test("loads all rules and finds nothing wrong with any", async () => {
    await until("every rule to be worked out", async () =>
      (await prometheus.rules()).filter(({ health }) => health !== "ok").map((rule) => JSON.stringify(rule)),
    );
    const names = [...alertList.map(([name]) => name), ...Object.keys(recordingRules)];
    expect((await prometheus.rules()).map(({ name }) => name).toSorted()).toEqual(names.toSorted());
    await until("every recorded series", () =>
      missing(Object.keys(recordingRules).map((name) => [name, name])),
    );
  });

  test("has no alarm to tell of", async () => {
    await until("nothing to be on its way to an alarm", async () =>
      (await prometheus.alerts()).filter(
        (alert) => !ofSlowMachines.some((name) => alert.includes(`"${name}"`)),
      ),
    );
    expect(await prometheus.query('count_over_time(ALERTS{alertstate="firing"}[5m])')).toEqual([]);
  });

  test("sees each service by its name, each process once", async () => {
    const up = await prometheus.query('count by (service) (up{job="sluice"} == 1)');
    expect(Object.fromEntries(up.map(({ labels, value }) => [labels["service"], value]))).toEqual({
      frontier: 1,
      "rate-limit": 1,
      fetcher: 2,
      "result-sink": 1,
      api: 1,
    });
  });

  test("counts what the crawl did", async () => {
    const [settled] = await prometheus.query("sum(sluice_fetcher_fetched_urls_total)");
    const [written] = await prometheus.query("sum(sluice_result_sink_written_rows_total)");
    expect(settled?.value).toBeGreaterThan(50);
    expect(written?.value).toBe(settled?.value);
  });

  /** Those of the named expressions that have not one series with a finite value. */
  async function missing(named: readonly (readonly [string, string])[]): Promise<readonly string[]> {
    const without: string[] = [];
    for (const [name, expression] of named) {
      const samples = await prometheus.query(expression);
      if (!samples.some(({ value }) => Number.isFinite(value))) without.push(`${name}: ${expression}`);
    }
    return without;
  }
});

/** Looks until nothing is left that stands in the way. */
async function until(what: string, obstacles: () => Promise<readonly string[]>): Promise<void> {
  const untilMs = performance.now() + waitMaxMs;
  for (;;) {
    const left = await obstacles();
    if (left.length === 0) return;
    if (performance.now() > untilMs) throw new Error(`waited in vain for ${what}:\n${left.join("\n")}`);
    await sleep(500);
  }
}

/** Reads a stream until it ends or is given up. */
async function drained(url: string, signal: AbortSignal): Promise<void> {
  try {
    const answer = await fetch(url, { signal });
    await answer.text();
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  for (const server of servers) await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  for (const server of servers) await new Promise((resolve) => server.close(resolve));
  return ports;
}
