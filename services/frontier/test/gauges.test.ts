import { jobSchema, topics, type Due, type Link, type Outcome } from "@sluice/records";
import { Random, StepDriver } from "@sluice/topology/testing";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { gaugeFrontier } from "../src/gauges.ts";
import { measureAnswer, measureFrontier } from "../src/measure.ts";
import { defaultFrontierOptions, type FrontierOptions } from "../src/options.ts";
import { frontierStep, type FrontierRecord } from "../src/step.ts";
import type { FrontierState } from "../src/core/state.ts";
import { answerTo } from "@sluice/records/testing";
import { linksTo } from "./records.ts";

/** One task, and what its gauges say. */
class Bench {
  readonly driver: StepDriver<FrontierState, FrontierRecord>;
  readonly out: Due[] = [];

  constructor(job: object = {}, options: Partial<FrontierOptions> = {}) {
    this.driver = new StepDriver({
      step: frontierStep({ ...defaultFrontierOptions, ...options }),
      nowMs: 1_000_000_000,
    });
    this.job(job);
  }

  job(fields: object): void {
    this.driver.table(topics.jobs.name, "j", jobSchema.parse({ id: "j", ...fields }));
    this.take();
  }

  links(host: string, from: number, count: number): void {
    const urls = Array.from({ length: count }, (_, index) => `https://${host}/${from + index}`);
    const { domain, link } = linksTo("j", urls);
    this.#pipe(topics.links.name, domain, link);
  }

  answer(fields: Partial<Outcome> = {}): void {
    const due = this.out.shift();
    if (due === undefined) return;
    this.#pipe(topics.outcomes.name, new URL(due.url).hostname, answerTo(due, fields));
  }

  take(): void {
    for (const { topic, value } of this.driver.takeSent())
      if (topic === topics.due.name) this.out.push(value as Due);
  }

  /** By name and label, those of 0 left out. */
  gauges(): ReadonlyMap<string, number> {
    const { state, context, nowMs } = this.driver;
    const found = new Map<string, number>();
    for (const { metric, value, labels } of gaugeFrontier({ lag: 7, lagMax: 9 })(
      [{ task: 0, state, context }],
      nowMs,
    )) {
      const name = [metric.replace(/^sluice_(frontier_)?/, ""), ...Object.values(labels ?? {})].join(" ");
      if (value !== 0) found.set(name, (found.get(name) ?? 0) + value);
    }
    return found;
  }

  #pipe(topic: string, key: string, value: Link | Outcome): void {
    this.driver.feed(topic, key, value);
    this.take();
  }
}

const only = (gauges: ReadonlyMap<string, number>, prefix: string): Readonly<Record<string, number>> =>
  Object.fromEntries([...gauges].filter(([name]) => name.startsWith(prefix)));

describe("gauges of the frontier", () => {
  test("tell what is known, what waits behind a full window, and the credits that are out", () => {
    const bench = new Bench({ politeness: { delayMs: 1000 } });
    bench.links("a.example", 0, 100);
    const gauges = bench.gauges();
    // A window of 30 seconds of the host's pace.
    expect(only(gauges, "waiting_urls")).toEqual({ "waiting_urls window": 70 });
    expect(only(gauges, "hosts")).toEqual({ "hosts window": 1 });
    expect(gauges.get("known_urls")).toBe(100);
    expect(gauges.get("unanswered_urls")).toBe(30);
    expect(only(gauges, "urls")).toEqual({ "urls waiting": 70, "urls released": 30 });
    expect(gauges.get("downstream_lag_records")).toBe(7);
    expect(gauges.get("downstream_lag_records_limit")).toBe(9);
  });

  test("tell URLs that wait for an instant apart, and those that came to an end", () => {
    const bench = new Bench();
    bench.links("a.example", 0, 3);
    bench.answer({ kind: "deferred", ok: false, dueAtMs: bench.driver.nowMs + 90_000 });
    bench.answer();
    bench.answer({ kind: "refused", ok: false, category: "robots" });
    expect(only(bench.gauges(), "waiting_urls")).toEqual({ "waiting_urls due_time": 1 });
    expect(only(bench.gauges(), "urls")).toEqual({ "urls waiting": 1, "urls done": 1, "urls skipped": 1 });
  });

  test("tell a paused job, a missing grant, a full task and lagging readers as what holds URLs", () => {
    const bench = new Bench({ politeness: { delayMs: 1000 } });
    bench.links("a.example", 0, 100);
    bench.job({ desired: "paused", politeness: { delayMs: 1000 } });
    expect(only(bench.gauges(), "waiting_urls")).toEqual({ "waiting_urls paused": 70 });
    expect(only(bench.gauges(), "hosts")).toEqual({ "hosts held": 1 });
    bench.driver.table("flow", "release", { group: "sink" });
    expect(only(bench.gauges(), "waiting_urls")).toEqual({ "waiting_urls back_pressure": 70 });

    const limited = new Bench({ limits: { maxPages: 10 } });
    limited.links("a.example", 0, 5);
    expect(only(limited.gauges(), "waiting_urls")).toEqual({ "waiting_urls grant": 5 });

    const full = new Bench({ politeness: { delayMs: 0 } }, { releasedMax: 20 });
    full.links("a.example", 0, 50);
    full.links("b.example", 0, 5);
    expect(only(full.gauges(), "waiting_urls")).toEqual({ "waiting_urls total": 35 });
    expect(full.gauges().get("unanswered_urls")).toBe(full.gauges().get("unanswered_urls_limit"));
  });

  test("tell a release that nobody has answered past its lease", () => {
    const bench = new Bench();
    bench.links("a.example", 0, 2);
    bench.driver.advance(defaultFrontierOptions.leaseMs + 1);
    expect(bench.gauges().get("overdue_urls")).toBe(2);
    bench.answer({ kind: "expired", ok: false });
    expect(bench.gauges().get("overdue_urls")).toBe(1);
  });

  test("tell links that wait for their job as held, not as lag that somebody could work off", () => {
    const bench = new Bench();
    const record = { job: "later", run: 1, kind: "link", parent: null, depth: 1, root: null, redirects: 0 };
    const value = { ...record, urls: ["https://a.example/"] };
    bench.driver.feed(topics.links.name, "a.example", value);
    expect(bench.gauges().get("pending_records")).toBe(1);
    expect(bench.gauges().get("runtime_lag_records crawl.links held")).toBe(1);
  });

  test("have each job once, by its state", () => {
    const bench = new Bench({ seeds: ["https://a.example/"] });
    expect(only(bench.gauges(), "jobs")).toEqual({ "jobs running": 1 });
    bench.job({ desired: "paused", seeds: ["https://a.example/"] });
    expect(only(bench.gauges(), "jobs")).toEqual({ "jobs paused": 1 });
  });

  test("count every waiting URL by exactly one reason, whatever happens", () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const random = new Random(seed);
        const fields = () => ({
          politeness: { delayMs: random.pick([0, 1000]) },
          desired: random.pick(["running", "running", "paused"]),
        });
        const bench = new Bench(fields(), { releasedMax: 40 });
        for (let turn = 0; turn < 50; turn += 1) {
          const dice = random.next();
          if (dice < 0.3) bench.links(`h${random.below(4)}.example`, random.below(100), 1 + random.below(20));
          else if (dice < 0.7) {
            const kind = random.pick(["settled", "retry", "deferred", "expired", "refused"] as const);
            bench.answer({
              kind,
              ok: kind === "settled",
              dueAtMs: kind === "deferred" ? bench.driver.nowMs + 5000 : null,
            });
          } else if (dice < 0.8) bench.job(fields());
          else if (dice < 0.9) bench.driver.advance(random.below(8000));
          else bench.driver.table("flow", "release", random.chance(0.5) ? { group: "sink" } : undefined);
          bench.take();
          const gauges = bench.gauges();
          const sum = (prefix: string): number =>
            Object.values(only(gauges, prefix)).reduce((all, value) => all + value, 0);
          const [view] = bench.driver.state.views.values();
          expect(sum("waiting_urls")).toBe(view?.waiting ?? 0);
          expect(gauges.get("unanswered_urls") ?? 0).toBe(view?.inFlight ?? 0);
          expect(sum("urls")).toBe(view?.tally.admitted ?? 0);
        }
      }),
      { numRuns: 100 },
    );
  });
});

describe("what the frontier counts", () => {
  test("releases, answers by kind, refused seeds and ended jobs", () => {
    const bench = new Bench({ seeds: ["not a url"] });
    bench.links("a.example", 0, 3);
    const sent = bench.driver.commit().flatMap(({ topic, value }) => measureFrontier(topic, value));
    const sum = (metric: string): number =>
      sent.filter((each) => each.metric === metric).reduce((all, { value }) => all + value, 0);
    expect(sum("sluice_frontier_released_urls_total")).toBe(3);
    expect(sent).toContainEqual({
      metric: "sluice_frontier_refused_urls_total",
      value: 1,
      labels: { reason: "invalid_url" },
    });
    expect(measureFrontier(topics.events.name, { type: "job_completed", finishReason: "max_pages" })).toEqual(
      [{ metric: "sluice_frontier_ended_jobs_total", value: 1, labels: { reason: "max_pages" } }],
    );
    expect(measureAnswer(topics.outcomes.name, { kind: "retry" })).toEqual([
      { metric: "sluice_frontier_answered_urls_total", value: 1, labels: { kind: "retry" } },
    ]);
    expect(measureAnswer(topics.links.name, {})).toEqual([]);
    const again = { kind: "link", urls: ["https://a.example/", "https://a.example/b"] };
    expect(measureFrontier(topics.links.name, again)).toEqual([
      { metric: "sluice_frontier_reannounced_urls_total", value: 2 },
    ]);
    expect(measureFrontier(topics.links.name, { ...again, kind: "seed" })).toEqual([]);
  });
});
