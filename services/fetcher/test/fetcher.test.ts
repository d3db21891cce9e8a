import {
  eventSchema,
  jobSchema,
  linkSchema,
  outcomeSchema,
  resultSchema,
  topics,
  type Job,
  type Link,
  type Outcome,
  type Permit,
  type Result,
} from "@sluice/records";
import { Random, StepDriver } from "@sluice/topology/testing";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { FetchCall, FetchOutcome } from "../src/calls.ts";
import { defaultFetcherOptions, type FetcherOptions } from "../src/options.ts";
import type { FetcherState } from "../src/core/hosts.ts";
import { fetcherStep, type PermitRecord } from "../src/step.ts";
import { jobOf, pageAnswer, permitOf, robotsAnswer } from "./answers.ts";

const runs = Number(process.env["SLUICE_TEST_RUNS"] ?? 300);

type Driver = StepDriver<FetcherState, PermitRecord, FetchCall, FetchOutcome>;

interface Request {
  readonly domain: string;
  readonly startMs: number;
  endMs: number | null;
}

/** A fetcher whose permits come in bursts and whose hosts answer as they like. */
class World {
  readonly driver: Driver;
  readonly requests: Request[] = [];
  readonly results: Result[] = [];
  readonly outcomes: Outcome[] = [];
  given = 0;
  readonly #random: Random;
  readonly #job: Job;
  readonly #delayMs: number;
  readonly #concurrency: number;
  readonly #started = new Map<string, Request>();
  /** Until when a host has asked for quiet. */
  readonly #quiet = new Map<string, number>();
  /** Domains whose robots.txt was had last; otherwise it was missing, or redirected without end. */
  readonly #ruled = new Set<string>();
  readonly #unstarted: boolean;
  /** URLs whose start was told in a transaction. */
  readonly #told = new Set<string>();

  constructor(random: Random) {
    this.#random = random;
    this.#delayMs = random.pick([0, 200, 1000, 5000]);
    this.#concurrency = random.pick([1, 1, 2, 4]);
    this.#unstarted = random.chance(0.5);
    this.#job = jobOf("j", {});
    this.driver = new StepDriver({
      step: fetcherStep(),
      startCalls: !this.#unstarted,
      keepHistory: false,
      tables: { [topics.jobs.name]: [["j", this.#job]] },
    });
  }

  step(): void {
    const random = this.#random;
    const dice = random.next();
    if (dice < 0.25) this.#burst();
    else if (dice < 0.5) this.#settleOne();
    else if (dice < 0.65) this.#startOne();
    else if (dice < 0.85) this.#advance(random.below(random.chance(0.1) ? 40_000 : 1500));
    else if (dice < 0.96) this.#commit();
    else if (dice < 0.98) this.#takeOver();
    this.#watch();
  }

  /** Everything is answered in the end. */
  drain(): void {
    for (let round = 0; round < 20_000 && this.driver.unfinished.length > 0; round += 1) {
      if (this.driver.calls.size > 0) {
        this.#startOne();
        this.#watch();
        this.#settleOne();
      } else this.#advance(Math.max(1, (this.driver.nextWakeMs() ?? Infinity) - this.driver.nowMs));
      this.#watch();
    }
    this.#commit();
    this.driver.end();
  }

  #burst(): void {
    for (let count = this.#random.below(4); count >= 0; count -= 1) {
      const offset = this.given++;
      const url = `https://d${this.#random.below(3)}.example/${this.#random.chance(0.1) ? "private/" : ""}${offset}`;
      const permit: Permit = {
        ...permitOf(url, this.driver.nowMs, {
          job: "j",
          in: String(this.#random.below(20) / 10),
          lease: "100000",
          attempt: String(1 + this.#random.below(3)),
        }),
        releaseId: `r${offset}`,
        delayMs: this.#delayMs,
        concurrency: this.#concurrency,
      };
      this.driver.feed(topics.permits.name, new URL(url).hostname, permit);
    }
  }

  /** Moves on from wake to wake, so that each start is seen when it happens. */
  #advance(ms: number): void {
    const untilMs = this.driver.nowMs + ms;
    for (;;) {
      const nextMs = this.driver.nextWakeMs();
      if (nextMs === null || nextMs > untilMs) break;
      this.driver.advance(Math.max(0, nextMs - this.driver.nowMs));
      this.#watch();
    }
    this.driver.advance(untilMs - this.driver.nowMs);
  }

  #startOne(): void {
    const waiting = [...this.driver.calls.values()].filter(({ started }) => !started);
    if (waiting.length === 0) return;
    const { callId, aborted, request } = this.#random.pick(waiting);
    this.driver.start(callId);
    if (!aborted) return;
    // Called back while it waited for a slot: it settles without a request.
    const { nowMs } = this.driver;
    const answer =
      request.kind === "robots"
        ? robotsAnswer(nowMs, "cancelled", [], {})
        : pageAnswer(nowMs, "cancelled", {});
    this.driver.settle(callId, answer);
  }

  #settleOne(): void {
    const calls = [...this.driver.calls.values()].filter(({ started }) => started);
    if (calls.length === 0) return;
    const call = this.#random.pick(calls);
    const nowMs = this.driver.nowMs;
    const request = this.#started.get(call.callId);
    if (request !== undefined) request.endMs = nowMs;
    const retryAfter = this.#random.chance(0.05)
      ? { retryAfter: this.#random.pick(["2", "50", "3600"]) }
      : {};
    const status =
      "retryAfter" in retryAfter
        ? "429"
        : this.#random.pick(["200", "200", "200", "404", "500", "301", "reset"]);
    if ("retryAfter" in retryAfter) {
      const untilMs = nowMs + Number(retryAfter.retryAfter) * 1000;
      this.#quiet.set(call.request.domain, Math.max(this.#quiet.get(call.request.domain) ?? 0, untilMs));
    }
    if (call.request.kind === "robots" && status === "200") this.#ruled.add(call.request.domain);
    if (call.request.kind === "robots" && status !== "200") this.#ruled.delete(call.request.domain);
    const location = { location: "/moved" };
    this.driver.settle(
      call.callId,
      call.request.kind === "robots"
        ? robotsAnswer(nowMs, status, ["Disallow: /private/"], { ...retryAfter, ...location })
        : pageAnswer(nowMs, status, { ...retryAfter, ...location }),
    );
  }

  /** Every call that has really begun since the last look: the rules of politeness hold for it. */
  #watch(): void {
    for (const call of this.driver.calls.values()) {
      if (!call.started || this.#started.has(call.callId)) continue;
      const { domain } = call.request;
      const startMs = this.driver.nowMs;
      const earlier = this.requests.filter((each) => each.domain === domain);
      const running = earlier.filter(({ endMs }) => endMs === null).length;
      if (running >= this.#concurrency) throw new Error(`${running + 1} requests at once to ${domain}`);
      for (const each of earlier) {
        const sinceMs = startMs - (this.#concurrency > 1 ? each.startMs : (each.endMs ?? startMs));
        if (sinceMs < this.#delayMs)
          throw new Error(
            `${domain} was asked ${sinceMs} ms after the request before, where ${this.#delayMs} were to be kept`,
          );
      }
      if (call.request.kind === "page" && call.request.url.includes("/private/") && this.#ruled.has(domain))
        throw new Error("robots.txt forbids it");
      if (this.#concurrency === 1 && startMs < (this.#quiet.get(domain) ?? 0))
        throw new Error(`${domain} was asked within Retry-After`);
      const request: Request = { domain, startMs, endMs: null };
      this.requests.push(request);
      this.#started.set(call.callId, request);
    }
  }

  #commit(): void {
    const written: string[] = [];
    const processed: string[] = [];
    for (const { topic, value } of this.driver.commit()) {
      if (topic === topics.outcomes.name) this.outcomes.push(outcomeSchema.parse(value));
      if (topic === topics.results.name) {
        const result = resultSchema.parse(value);
        this.results.push(result);
        written.push(result.result_id);
        // Where robots.txt can't be had, the page is never asked for.
        if (result.duration_ms !== null && !this.#told.has(result.url))
          throw new Error(`${result.url} was never told to have begun`);
      }
      if (topic === topics.events.name) {
        const event = eventSchema.parse(value);
        if (event.type === "sent_to_processing") processed.push(event.resultId);
        if (event.type === "url_started") this.#hear(event.url, event.atMs);
      }
    }
    if (written.join() !== processed.join())
      throw new Error("a result and its sent_to_processing lie in different transactions");
  }

  /** Told when the request began, not when it was asked for. */
  #hear(url: string, atMs: number): void {
    const domain = new URL(url).hostname;
    if (!this.requests.some((each) => each.domain === domain && each.startMs === atMs))
      throw new Error(`no request to ${domain} began when ${url} was told to`);
    this.#told.add(url);
  }

  /** A crash: requests end unseen, and the next owner knows nothing but the full wait. */
  #takeOver(): void {
    for (const request of this.requests) request.endMs ??= this.driver.nowMs;
    this.#quiet.clear();
    this.driver.restartFromCommit();
  }
}

describe("the fetcher, with permits in bursts, crashes and hosts that answer as they like", () => {
  test("keeps delay, concurrency, robots.txt and Retry-After, and answers each permit once", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 - 1 }), (seed) => {
        const world = new World(new Random(seed));
        for (let step = 0; step < 150; step += 1) world.step();
        world.drain();
        expect(world.outcomes.map(({ releaseId }) => releaseId).sort()).toEqual(
          Array.from({ length: world.given }, (_, index) => `r${index}`).sort(),
        );
        expect(world.results.length).toBe(world.outcomes.filter(({ kind }) => kind === "settled").length);
      }),
      { numRuns: runs },
    );
  });
});

class Bench {
  readonly driver: Driver;

  constructor(options: FetcherOptions = defaultFetcherOptions) {
    this.driver = new StepDriver({ step: fetcherStep(options) });
  }

  permit(url: string, fields: Readonly<Record<string, string>> = {}): void {
    this.driver.feed(topics.permits.name, new URL(url).hostname, permitOf(url, this.driver.nowMs, fields));
  }

  settleAll(status: string, fields: Readonly<Record<string, string>> = {}): void {
    const open = [...this.driver.calls.values()];
    for (const { callId, request } of open) {
      const nowMs = this.driver.nowMs;
      this.driver.settle(
        callId,
        request.kind === "robots" ? robotsAnswer(nowMs, "404", [], {}) : pageAnswer(nowMs, status, fields),
      );
    }
  }
}

describe("fetcher", () => {
  test("writes links in chunks that their schema takes", () => {
    const bench = new Bench();
    const job = jobSchema.parse({ id: "j", scope: { kind: "any" } });
    bench.driver.table(topics.jobs.name, "j", job);
    bench.permit("https://a.example/", { job: "j", root: "https://a.example/" });
    bench.driver.advance(1000);
    bench.settleAll("404");
    bench.driver.advance(1000);
    bench.settleAll("200", {
      links: Array.from({ length: 1201 }, (_, index) => `https://b.example/${index}`).join(","),
    });
    const links = bench.driver.sent(topics.links.name).map((value) => linkSchema.parse(value) as Link);
    expect(links.map(({ urls }) => urls.length)).toEqual([500, 500, 201]);
    expect(bench.driver.sent(topics.outcomes.name)).toMatchObject([{ linkRecords: 3, links: 1201 }]);
    bench.driver.end();
  });

  test("asks for the texts that the job names, and writes what was found with the result", () => {
    const bench = new Bench();
    const selectors = { heading: "h1", broken: "h1[" };
    bench.driver.table(topics.jobs.name, "j", jobSchema.parse({ id: "j", extract: { selectors } }));
    bench.driver.table(topics.jobs.name, "plain", jobSchema.parse({ id: "plain" }));
    for (const job of ["j", "plain"]) bench.permit(`https://${job}.example/`, { job });
    bench.driver.advance(1000);
    bench.settleAll("404");
    bench.driver.advance(1000);
    const asked = [...bench.driver.calls.values()].map(({ request }) => request);
    expect(asked).toMatchObject([{ kind: "page", selectors }, { kind: "page" }]);
    expect(asked[1]).not.toHaveProperty("selectors");
    const extracted = JSON.stringify({ heading: ["A page"], broken: [] });
    const [first, second] = [...bench.driver.calls.keys()];
    const { nowMs } = bench.driver;
    bench.driver.settle(
      first ?? "",
      pageAnswer(nowMs, "200", { extracted, note: "broken: no such selector" }),
    );
    bench.driver.settle(second ?? "", pageAnswer(nowMs, "200", {}));
    const results = bench.driver.sent(topics.results.name).map((value) => resultSchema.parse(value));
    expect(results.map((result) => result.extracted_json)).toEqual([extracted, null]);
    const crawled = bench.driver
      .sent(topics.events.name)
      .map((value) => eventSchema.parse(value))
      .filter(({ type }) => type === "url_crawled");
    expect(crawled).toMatchObject([{ note: "broken: no such selector" }, { type: "url_crawled" }]);
    expect(crawled[1]).not.toHaveProperty("note");
    bench.driver.end();
  });

  test("a thousand idle domains are forgotten beyond the limit, busy and waited-for ones are not", () => {
    const bench = new Bench({ ...defaultFetcherOptions, hostsMax: 10 });
    bench.permit("https://slow.example/", { delayMs: "600000", lease: "100000" });
    bench.driver.advance(600_000);
    bench.settleAll("404");
    for (let index = 0; index < 300; index += 1) {
      bench.permit(`https://d${index}.example/`);
      bench.driver.advance(1000);
      for (let each = 0; each < 2; each += 1) {
        bench.settleAll("200");
        bench.driver.advance(1000);
      }
    }
    // Quiet for 120 s, i.e. 40 domains at 3 s each, and the limit beside them.
    expect(bench.driver.state.hosts.size).toBeLessThan(60);
    expect(bench.driver.state.hosts.has("slow.example")).toBe(true);
    bench.driver.end();
  });

  test("a forgotten domain costs a step no look at every other", () => {
    const bench = new Bench({ ...defaultFetcherOptions, hostsMax: 100 });
    for (let index = 0; index < 3000; index += 1) bench.permit(`https://d${index}.example/`, { in: "50" });
    const before = [...bench.driver.state.hosts.keys()][0];
    bench.permit("https://one-more.example/");
    // Busy domains go to the end of the order, a few at a time.
    expect([...bench.driver.state.hosts.keys()][0]).not.toBe(before);
    expect(bench.driver.state.hosts.size).toBe(3001);
  });
});
