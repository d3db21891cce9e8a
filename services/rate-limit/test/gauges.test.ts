import { jobSchema, topics, type Outcome, type Permit } from "@sluice/records";
import { Random, StepDriver } from "@sluice/topology/testing";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { gaugeRateLimit } from "../src/gauges.ts";
import { measureRateLimit } from "../src/measure.ts";
import type { RateLimitState } from "../src/core/domains.ts";
import { rateLimitStep, type RateLimitRecord } from "../src/step.ts";
import { answeredAt, dueOf } from "./records.ts";

/** One task with a job, and what its gauges say. */
class Bench {
  readonly driver: StepDriver<RateLimitState, RateLimitRecord>;
  readonly out = new Map<string, Permit>();
  #releases = 0;

  constructor(delayMs: number, concurrencyPerHost = 1) {
    const job = jobSchema.parse({ id: "j", politeness: { delayMs, concurrencyPerHost } });
    this.driver = new StepDriver({
      step: rateLimitStep(),
      nowMs: 1_000_000_000,
      tables: { [topics.jobs.name]: [["j", job]] },
    });
  }

  due(host: string, count = 1): void {
    for (let left = count; left > 0; left -= 1) {
      const releaseId = `r${this.#releases++}`;
      const value = dueOf(host, releaseId, this.driver.nowMs, {
        job: "j",
        url: `http://${host}/${releaseId}`,
      });
      this.driver.feed(topics.due.name, host, value);
    }
    this.take();
  }

  answer(host: string, fields: Partial<Outcome> = {}): void {
    for (const [releaseId, permit] of this.out) {
      if (new URL(permit.url).hostname !== host) continue;
      this.out.delete(releaseId);
      const outcome = answeredAt(permit, this.driver.nowMs, { latencyMs: 50, ...fields });
      this.driver.feed(topics.outcomes.name, host, outcome);
      break;
    }
    this.take();
  }

  take(): void {
    for (const { topic, value } of this.driver.takeSent())
      if (topic === topics.permits.name) this.out.set((value as Permit).releaseId, value as Permit);
  }

  gauges(): ReadonlyMap<string, number> {
    const { state, context, nowMs } = this.driver;
    const told = gaugeRateLimit()([{ task: 0, state, context }], nowMs);
    return new Map(
      told
        .filter(({ value }) => value !== 0)
        .map(({ metric, value, labels }) => [
          [metric.replace("sluice_", "").replace("rate_limit_", ""), ...Object.values(labels ?? {})].join(
            " ",
          ),
          value,
        ]),
    );
  }
}

describe("gauges of rate-limit", () => {
  test("URLs held for politeness are not ready to fetch, only the one whose permit is out", () => {
    const bench = new Bench(1000);
    bench.due("a.example", 20);
    expect(bench.gauges()).toEqual(
      new Map([
        ["unanswered_permits", 1],
        ["fetch_ready", 1],
        ["hosts ready", 1],
        ["waiting_urls politeness", 19],
      ]),
    );
    // Answered: the host's delay holds all of them now.
    bench.answer("a.example");
    expect(bench.gauges()).toEqual(
      new Map([
        ["hosts politeness", 1],
        ["waiting_urls politeness", 19],
      ]),
    );
    bench.driver.advance(1000);
    bench.take();
    expect(bench.gauges().get("fetch_ready")).toBe(1);
  });

  test("ready to fetch grows with the hosts that may be asked, not with the URLs of one", () => {
    const bench = new Bench(1000, 2);
    for (let host = 0; host < 50; host += 1) bench.due(`h${host}.example`, 5);
    expect(bench.gauges().get("fetch_ready")).toBe(100);
    expect(bench.gauges().get("waiting_urls politeness")).toBe(150);
  });

  test.each([
    ["back_off", { category: "http_5xx", ok: false }],
    ["retry_after", { category: "ok", retryAfterMs: 30_000 }],
    ["breaker", { category: "ok", breakerUntilMs: 1_000_030_000 }],
  ] as const)("a host held by %s is told so, and so are its URLs", (reason, fields) => {
    const bench = new Bench(100);
    bench.due("a.example", 3);
    bench.answer("a.example", fields);
    expect(bench.gauges()).toEqual(
      new Map([
        [`hosts ${reason}`, 1],
        [`waiting_urls ${reason}`, 2],
      ]),
    );
  });

  test("a host with nothing waiting and nothing out is idle", () => {
    const bench = new Bench(1000);
    bench.due("a.example");
    bench.answer("a.example");
    expect(bench.gauges()).toEqual(new Map([["hosts idle", 1]]));
  });

  test("every waiting URL and every host is counted once, and ready to fetch covers every permit out", () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const random = new Random(seed);
        const bench = new Bench(random.pick([0, 100, 1000]), random.pick([1, 3]));
        const hosts = ["a.example", "b.example", "c.example"];
        for (let turn = 0; turn < 60; turn += 1) {
          const host = random.pick(hosts);
          if (random.chance(0.4)) bench.due(host, random.below(6));
          else if (random.chance(0.6))
            bench.answer(host, { category: random.pick(["ok", "ok", "http_5xx"]) });
          else bench.driver.advance(random.below(4000));
          bench.take();
          const gauges = bench.gauges();
          const sum = (prefix: string): number =>
            [...gauges].reduce((all, [name, value]) => (name.startsWith(prefix) ? all + value : all), 0);
          const domains = [...bench.driver.state.domains.values()];
          expect(sum("waiting_urls")).toBe(domains.reduce((all, { waiting }) => all + waiting.size, 0));
          expect(sum("hosts")).toBe(domains.length);
          expect(sum("unanswered_permits")).toBe(bench.out.size);
          expect(sum("fetch_ready")).toBe(bench.out.size + (gauges.get("waiting_urls ready") ?? 0));
        }
      }),
      { numRuns: 100 },
    );
  });
});

describe("what rate-limit counts", () => {
  test("permits with the time they waited, and answers by their reason", () => {
    const bench = new Bench(1000);
    bench.due("a.example", 100);
    bench.driver.advance(600_000);
    const told = bench.driver.commit().flatMap(({ topic, value }) => measureRateLimit(topic, value));
    const sum = (metric: string, label?: string): number =>
      told
        .filter((each) => each.metric === `sluice_rate_limit_${metric}`)
        .filter(({ labels }) => label === undefined || labels?.["reason"] === label)
        .reduce((all, each) => all + each.value, 0);
    expect(sum("issued_permits_total")).toBe(1);
    // A minute of the host's pace is kept; what is beyond it goes back at once.
    expect(sum("deferred_urls_total", "queue")).toBe(sum("deferred_urls_total"));
    expect(sum("deferred_urls_total")).toBeGreaterThan(30);
    expect(sum("wait_seconds")).toBe(0);
    expect(measureRateLimit(topics.hosts.name, null)).toEqual([]);
  });
});
