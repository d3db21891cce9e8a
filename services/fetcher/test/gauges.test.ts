import { defaultJob, topics } from "@sluice/records";
import { StepDriver } from "@sluice/topology/testing";
import { describe, expect, test } from "vitest";
import type { FetchCall, FetchOutcome } from "../src/calls.ts";
import { gaugeFetcher } from "../src/gauges.ts";
import { measureFetcher, measureRequest } from "../src/measure.ts";
import type { FetcherState } from "../src/core/hosts.ts";
import { fetcherStep, type PermitRecord } from "../src/step.ts";
import { noWait, jobOf, pageAnswer, permitOf, robotsAnswer } from "./answers.ts";

const client = {
  bodies: { bytes: 7, bytesMax: 8 },
  connections: { busy: 2, idle: 3, idleMax: 4 },
  dns: { entries: 5, entriesMax: 6 },
};

/** One task, and what its gauges say. */
class Bench {
  readonly driver: StepDriver<FetcherState, PermitRecord, FetchCall, FetchOutcome>;

  constructor() {
    this.driver = new StepDriver({
      step: fetcherStep(),
      nowMs: 1_000_000_000,
      tables: { [topics.jobs.name]: [["j", jobOf("j", {})]] },
    });
    // A task that was just taken over waits a full delay first.
    this.driver.advance(60_000);
  }

  permit(url: string, fields: Readonly<Record<string, string>> = {}): void {
    this.driver.feed(
      topics.permits.name,
      new URL(url).hostname,
      permitOf(url, this.driver.nowMs, { job: "j", ...fields }),
    );
  }

  /** Answers the only call. */
  settle(outcome: FetchOutcome): void {
    const [call] = this.driver.calls.values();
    if (call === undefined) throw new Error("nothing was asked for");
    this.driver.settle(call.callId, outcome);
  }

  gauges(): ReadonlyMap<string, number> {
    const { state, context, nowMs } = this.driver;
    const breakers = { limit: 10, counts: () => ({ closed: 3, open: 1, half_open: 0 }) };
    return new Map(
      gaugeFetcher(breakers, client, { load: { reading: 0, waiting: 0 } })(
        [{ task: 0, state, context }],
        nowMs,
      )
        .filter(({ value }) => value !== 0)
        .map(({ metric, value, labels }) => [
          [metric.replace(/^sluice_(fetcher_)?/, ""), ...Object.values(labels ?? {})].join(" "),
          value,
        ]),
    );
  }

  about(...names: readonly string[]): Readonly<Record<string, number>> {
    return Object.fromEntries(
      [...this.gauges()].filter(([name]) => names.some((each) => name.startsWith(each))),
    );
  }
}

describe("gauges of the fetcher", () => {
  test("tell connections and names of its client, with their limits", () => {
    expect(new Bench().about("busy_connections", "idle", "dns", "body_memory")).toEqual({
      busy_connections: 2,
      idle_connections: 3,
      idle_connections_limit: 4,
      body_memory_bytes: 7,
      body_memory_bytes_limit: 8,
      dns_entries: 5,
      dns_entries_limit: 6,
    });
  });

  test("tell what runs, what is held and why, and what of it is lag by politeness", () => {
    const bench = new Bench();
    for (const path of ["1", "2", "3"]) bench.permit(`http://a.example/${path}`);
    expect(bench.about("running", "held", "runtime_lag")).toEqual({
      "running_requests robots": 1,
      "held_permits busy": 3,
      "runtime_lag_records crawl.permits held": 3,
    });
    bench.settle(robotsAnswer(bench.driver.nowMs, "404", [], {}));
    expect(bench.about("running", "held", "robots", "runtime_lag")).toEqual({
      "held_permits politeness": 3,
      robots_entries: 1,
      "runtime_lag_records crawl.permits held": 3,
    });
    bench.driver.advance(1000);
    expect(bench.about("running", "held")).toEqual({ "running_requests page": 1, "held_permits busy": 2 });
  });

  test("tell a host that asked for quiet as a hold", () => {
    const bench = new Bench();
    for (const path of ["1", "2"]) bench.permit(`http://a.example/${path}`);
    bench.settle(robotsAnswer(bench.driver.nowMs, "404", [], {}));
    bench.driver.advance(1000);
    bench.settle(pageAnswer(bench.driver.nowMs, "429", { retryAfter: "30" }));
    expect(bench.about("held")).toEqual({ "held_permits hold": 1 });
  });

  test("have the hosts and breakers beside their limits", () => {
    const bench = new Bench();
    bench.permit("http://a.example/");
    expect(bench.about("hosts", "breakers")).toEqual({
      hosts: 1,
      hosts_limit: 10_000,
      "breakers closed": 3,
      "breakers open": 1,
      breakers_limit: 10,
    });
  });

  test("change nothing in the state that they look at", () => {
    const bench = new Bench();
    for (const path of ["1", "2"]) bench.permit(`http://a.example/${path}`, { delayMs: "5000" });
    bench.settle(robotsAnswer(bench.driver.nowMs, "404", [], {}));
    const before = structuredClone(
      [...bench.driver.state.hosts.values()].map(({ delayMaxMs, queue, holdUntilMs }) => ({
        delayMaxMs,
        queue: queue.length,
        holdUntilMs,
      })),
    );
    bench.gauges();
    expect([...bench.driver.state.hosts.values()]).toMatchObject(
      before.map(({ delayMaxMs, holdUntilMs }) => ({ delayMaxMs, holdUntilMs })),
    );
  });
});

describe("what the fetcher counts", () => {
  test("results with their bytes, and every outcome by its kind", () => {
    const bench = new Bench();
    bench.permit("http://a.example/1");
    bench.settle(robotsAnswer(bench.driver.nowMs, "404", [], {}));
    bench.driver.advance(1000);
    bench.settle(pageAnswer(bench.driver.nowMs, "200", {}));
    const told = bench.driver.commit().flatMap(({ topic, value }) => measureFetcher(topic, value));
    expect(told.map(({ metric }) => metric).sort()).toEqual([
      "sluice_fetcher_body_bytes_total",
      "sluice_fetcher_fetched_urls_total",
      "sluice_fetcher_wire_bytes_total",
    ]);
    expect(told).toContainEqual({
      metric: "sluice_fetcher_fetched_urls_total",
      value: 1,
      labels: { category: "ok" },
    });
    for (const [kind, metric] of [
      ["retry", "retried"],
      ["deferred", "deferred"],
      ["refused", "refused"],
      ["expired", "expired"],
    ] as const) {
      const [found] = measureFetcher(topics.outcomes.name, { kind, category: "dns", links: 0 });
      expect(found?.metric).toBe(`sluice_fetcher_${metric}_urls_total`);
    }
    expect(measureFetcher(topics.outcomes.name, { kind: "settled", category: "ok", links: 3 })[1]).toEqual({
      metric: "sluice_fetcher_discovered_urls_total",
      value: 3,
    });
  });

  test("requests by what was asked for and how they ended; with an open breaker none was made", () => {
    const page: FetchCall = {
      kind: "page",
      domain: "a.example",
      url: "http://a.example/",
      fetch: defaultJob().fetch,
      policy: {},
      ...noWait,
    };
    const counted = (outcome: FetchOutcome): readonly string[] =>
      measureRequest(page, outcome).map(({ metric, labels }) =>
        `${metric.replace("sluice_fetcher_", "")} ${labels?.["outcome"] ?? ""}`.trim(),
      );
    const ok = pageAnswer(0, "200", {});
    expect(counted(ok)).toEqual(["requests_total response", "request_seconds", "first_byte_seconds"]);
    expect(counted(pageAnswer(0, "dns", {}))).toEqual([
      "requests_total failed",
      "failed_requests_total",
      "request_seconds",
    ]);
    const open: FetchOutcome = {
      kind: "page",
      answer: { kind: "breaker_open", retryAtMs: 5 },
      egress: null,
      content: null,
      retryAfterMs: null,
      breaker: { state: "open", retryAtMs: 5 },
    };
    expect(counted(open)).toEqual(["requests_total breaker_open"]);
  });
});
