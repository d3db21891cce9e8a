import { MemoryEntries } from "@sluice/topology";
import {
  eventSchema,
  jobSchema,
  outcomeSchema,
  topics,
  type CrawlEvent,
  type Due,
  type Outcome,
  type Permit,
} from "@sluice/records";
import { StepDriver } from "@sluice/topology/testing";
import { describe, expect, test } from "vitest";
import { isDead } from "../src/core/dead-host.ts";
import { loadState, type RateLimitState } from "../src/core/domains.ts";
import { newPace, type Pace } from "../src/core/pace.ts";
import { defaultPaceOptions } from "../src/options.ts";
import { rateLimitStep, type RateLimitRecord } from "../src/step.ts";
import { answeredAt } from "./records.ts";

const domain = "a.example";
const minuteMs = 60_000;
const window = 100;
const attemptsMax = 3;

interface Url {
  readonly id: string;
  attempt: number;
  dueAtMs: number;
  end: "ok" | "failed" | "refused" | null;
}

interface Host {
  /** How it answers a request that begins at this instant of the crawl. */
  readonly categoryAt: (sinceMs: number) => string;
  readonly takesMs: number;
  readonly concurrency?: number;
}

/**
 * A crawl of one domain: a frontier that keeps a window of URLs released and tries each three times, and a
 * fetcher that asks as soon as a permit allows. It moves from one instant at which something happens to the next.
 */
class Crawl {
  readonly driver: StepDriver<RateLimitState, RateLimitRecord>;
  readonly urls: Url[];
  readonly events: CrawlEvent[] = [];
  readonly requests: { readonly startMs: number; readonly category: string }[] = [];
  readonly refusals: Outcome[] = [];
  readonly #host: Host;
  readonly #startMs: number;
  readonly #running: { readonly permit: Permit; readonly endMs: number; readonly category: string }[] = [];
  /** What the frontier holds, in no order of due times, and what it has released. */
  #waiting: Url[];
  readonly #released = new Map<string, Url>();
  #releases = 0;

  constructor(count: number, host: Host) {
    this.#host = host;
    const job = jobSchema.parse({ id: "j", politeness: { concurrencyPerHost: host.concurrency ?? 1 } });
    this.driver = new StepDriver({
      step: rateLimitStep(),
      keepHistory: false,
      tables: { [topics.jobs.name]: [["j", job]] },
    });
    this.#startMs = this.driver.nowMs;
    this.urls = Array.from({ length: count }, (_, index) => ({
      id: `u${index}`,
      attempt: 1,
      dueAtMs: 0,
      end: null,
    }));
    this.#waiting = [...this.urls];
  }

  get sinceMs(): number {
    return this.driver.nowMs - this.#startMs;
  }

  ended(end: Url["end"]): number {
    return this.urls.filter((url) => url.end === end).length;
  }

  /** Runs until every URL has ended, or until this instant of the crawl. */
  run(untilMs: number): void {
    while (this.sinceMs < untilMs && this.#waiting.length + this.#released.size > 0) {
      this.#release();
      const nextMs = Math.min(
        this.driver.nextWakeMs() ?? Infinity,
        ...this.#running.map(({ endMs }) => endMs),
        this.#nextDueMs(),
        this.#startMs + untilMs,
      );
      this.driver.advance(Math.max(0, nextMs - this.driver.nowMs));
      this.#collect();
      this.#settle();
    }
    this.driver.end();
  }

  #release(): void {
    const held = this.#waiting;
    this.#waiting = [];
    for (const url of held) {
      if (this.#released.size >= window || url.dueAtMs > this.driver.nowMs) {
        this.#waiting.push(url);
        continue;
      }
      const releaseId = `${url.id}.${this.#releases++}`;
      this.#released.set(releaseId, url);
      this.#pipe(topics.due.name, {
        releaseId,
        job: "j",
        run: 1,
        url: `https://${domain}/${url.id}`,
        urlId: url.id,
        depth: 0,
        root: null,
        parent: null,
        redirects: 0,
        attempt: url.attempt,
        releasedAtMs: this.driver.nowMs,
        leaseUntilMs: this.driver.nowMs + 10 * minuteMs,
      });
    }
  }

  /** Where its window is full the frontier waits for an answer, not for a due time. */
  #nextDueMs(): number {
    if (this.#released.size >= window) return Infinity;
    let nextMs = Infinity;
    for (const { dueAtMs } of this.#waiting) nextMs = Math.min(nextMs, dueAtMs);
    return nextMs;
  }

  #settle(): void {
    const nowMs = this.driver.nowMs;
    for (const call of this.#running.filter(({ endMs }) => endMs <= nowMs)) {
      this.#running.splice(this.#running.indexOf(call), 1);
      const { permit, category } = call;
      const ok = category === "ok";
      const again = !ok && permit.attempt < attemptsMax;
      const outcome = answeredAt(permit, nowMs, {
        kind: again ? "retry" : "settled",
        category,
        ok,
        dueAtMs: again ? nowMs + 5000 * 2 ** (permit.attempt - 1) : null,
        latencyMs: ok ? this.#host.takesMs : null,
      });
      this.#pipe(topics.outcomes.name, outcome);
    }
  }

  /** What the step sent: permits begin, outcomes go back to the frontier. */
  #collect(): void {
    for (const { topic, value } of this.driver.commit()) {
      if (topic === topics.events.name) this.events.push(eventSchema.parse(value));
      else if (topic === topics.outcomes.name) this.#answered(outcomeSchema.parse(value));
      else if (topic === topics.permits.name) this.#begin(value as Permit);
    }
  }

  #begin(permit: Permit): void {
    const startMs = Math.max(this.driver.nowMs, permit.notBeforeMs);
    const category = this.#host.categoryAt(startMs - this.#startMs);
    this.requests.push({ startMs: startMs - this.#startMs, category });
    this.#running.push({ permit, endMs: startMs + this.#host.takesMs, category });
  }

  #answered(outcome: Outcome): void {
    const url = this.#released.get(outcome.releaseId);
    if (url === undefined) throw new Error(`${outcome.releaseId} was answered twice, or never released`);
    this.#released.delete(outcome.releaseId);
    if (outcome.kind === "refused") {
      url.end = "refused";
      this.refusals.push(outcome);
    } else if (outcome.kind === "settled") url.end = outcome.ok ? "ok" : "failed";
    else {
      if (outcome.kind === "retry") url.attempt += 1;
      url.dueAtMs = outcome.dueAtMs ?? 0;
      this.#waiting.push(url);
    }
  }

  #pipe(topic: string, value: Due | Outcome): void {
    this.driver.feed(topic, domain, value);
    if (topic === topics.outcomes.name && (value as Outcome).by === "fetcher")
      this.#answered(value as Outcome);
    this.#collect();
  }
}

describe("a host that does not answer", () => {
  test("for good: its thousand URLs are all answered within half an hour, few by a request", () => {
    const crawl = new Crawl(1000, { categoryAt: () => "timeout_connect", takesMs: 10_000 });
    crawl.run(30 * minuteMs);
    expect(crawl.ended(null)).toBe(0);
    expect(crawl.ended("ok")).toBe(0);
    expect(crawl.ended("refused")).toBeGreaterThan(980);
    expect(crawl.requests.length).toBeLessThan(20);
    expect(crawl.refusals.length).toBe(crawl.events.length);
    expect(crawl.refusals[0]).toMatchObject({ by: "rate-limit", category: "host_unreachable", requests: 0 });
    expect(crawl.refusals[0]?.detail).toMatch(
      /^the host failed 1[0-9] times in a row, the last time with timeout_connect$/,
    );
    expect(crawl.events[0]).toMatchObject({
      type: "url_failed",
      job: "j",
      category: "host_unreachable",
      refused: true,
      final: true,
    });
  });

  for (const concurrency of [1, 4, 64]) {
    test(`for five minutes, with ${concurrency} at once: nothing is lost`, () => {
      const crawl = new Crawl(1000, {
        categoryAt: (sinceMs) => (sinceMs > 10_000 && sinceMs < 310_000 ? "connect" : "ok"),
        takesMs: 20,
        concurrency,
      });
      crawl.run(120 * minuteMs);
      expect(crawl.ended("ok")).toBe(1000);
      expect(crawl.requests.filter(({ category }) => category === "connect").length).toBeGreaterThan(4);
    });
  }

  test("for twenty minutes: what comes after its return is fetched, since a probe is made each back-off", () => {
    const crawl = new Crawl(2000, {
      categoryAt: (sinceMs) => (sinceMs < 20 * minuteMs ? "reset" : "ok"),
      takesMs: 50,
    });
    for (const url of crawl.urls.slice(1000)) url.dueAtMs = crawl.driver.nowMs + 40 * minuteMs;
    crawl.run(180 * minuteMs);
    const isEarly = ({ id }: Url): boolean => Number(id.slice(1)) < 1000;
    expect(crawl.urls.filter((url) => isEarly(url) && url.end === "refused").length).toBeGreaterThan(900);
    expect(crawl.urls.filter((url) => !isEarly(url) && url.end === "ok").length).toBe(1000);
  });

  test("is asked once a back-off while it is given up, whatever is due", () => {
    const crawl = new Crawl(1000, { categoryAt: () => "dns", takesMs: 20_000, concurrency: 8 });
    for (const [index, url] of crawl.urls.entries())
      if (index >= 200) url.dueAtMs = crawl.driver.nowMs + Math.floor(index / 10) * 50_000;
    crawl.run(120 * minuteMs);
    expect(crawl.ended(null)).toBe(0);
    const late = crawl.requests.filter(({ startMs }) => startMs > 15 * minuteMs);
    expect(late.length).toBeGreaterThan(5);
    for (const [index, { startMs }] of late.entries()) {
      const before = late[index - 1];
      if (before !== undefined)
        expect(startMs - before.startMs).toBeGreaterThanOrEqual(defaultPaceOptions.backOffMaxMs / 2);
    }
  });

  test("is remembered as given up over a restart", () => {
    const crawl = new Crawl(1000, { categoryAt: () => "connect", takesMs: 100 });
    crawl.run(16 * minuteMs);
    const refused = crawl.ended("refused");
    const before = { ...crawl.driver.state.domain(domain).pace };
    expect(isDead(before, defaultPaceOptions)).toBe(true);
    crawl.driver.restart();
    expect(crawl.driver.state.domain(domain).pace).toEqual(before);
    crawl.run(30 * minuteMs);
    expect(crawl.ended("refused")).toBeGreaterThanOrEqual(refused);
    expect(crawl.ended(null)).toBe(0);
  });

  test("is given up only after as many failures, over as long a time, as the options say", () => {
    const failed = (deadFailures: number, spanMs: number): Pace => ({
      ...newPace(),
      deadFailures,
      failingSinceMs: 1000,
      lastFailureMs: 1000 + spanMs,
    });
    expect(isDead(newPace(), defaultPaceOptions)).toBe(false);
    expect(isDead(failed(10, 600_000), defaultPaceOptions)).toBe(true);
    expect(isDead(failed(9, 600_000), defaultPaceOptions)).toBe(false);
    expect(isDead(failed(10, 599_999), defaultPaceOptions)).toBe(false);
    expect(isDead(failed(640, 30_000), defaultPaceOptions)).toBe(false);
  });

  test("state of a version that did not count such failures is read as that of a host that lives", () => {
    const { deadFailures, failingSinceMs, lastFailureMs, lastFailure, ...old } = newPace();
    const entries = new MemoryEntries<unknown>();
    entries.map.set(`d|${domain}`, { pace: { ...old, failuresInRow: 3 }, out: ["r"], told: "" });
    const state = loadState(entries);
    expect(state.domain(domain).pace).toEqual({
      ...newPace(),
      failuresInRow: 3,
      deadFailures,
      failingSinceMs,
      lastFailureMs,
      lastFailure,
    });
  });
});
