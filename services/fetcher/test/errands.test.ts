import { topics, type Due, type Outcome, type Permit } from "@sluice/records";
import { StepDriver, type SentRecord } from "@sluice/topology/testing";
import { describe, expect, test } from "vitest";
import type { FetchCall, FetchOutcome } from "../src/calls.ts";
import type { FetcherState } from "../src/core/hosts.ts";
import { fetcherStep, type PermitRecord } from "../src/step.ts";
import { jobOf, pageAnswer, permitOf, robotsAnswer } from "./answers.ts";

type Fields = Readonly<Record<string, string>>;

const delayMs = 1000;

/** What rate-limit makes of a URL that is due: here a permit at once. */
const permitted = (due: Due, nowMs: number): Permit => ({
  ...due,
  notBeforeMs: nowMs,
  delayMs,
  concurrency: 1,
  intervalMs: 0,
  waitSource: "delay",
});

/** Tasks of the fetcher, each on its own as if in different processes, and what lies between them. */
class Tasks {
  readonly #drivers: readonly StepDriver<FetcherState, PermitRecord, FetchCall, FetchOutcome>[];
  readonly #taskOf: (domain: string) => number;
  readonly asked: { readonly url: string; readonly atMs: number }[] = [];
  readonly outcomes: { readonly key: string; readonly outcome: Outcome }[] = [];
  readonly errands: Due[] = [];
  answer: (url: string) => readonly [status: string, rules: readonly string[], fields: Fields];

  constructor(count: number, taskOf: (domain: string) => number, answer: Tasks["answer"]) {
    this.#taskOf = taskOf;
    this.answer = answer;
    this.#drivers = Array.from(
      { length: count },
      () => new StepDriver({ step: fetcherStep(), tables: { [topics.jobs.name]: [["j", jobOf("j", {})]] } }),
    );
  }

  #driverOf(domain: string) {
    const driver = this.#drivers[this.#taskOf(domain)];
    if (driver === undefined) throw new Error(`${domain} has no task`);
    return driver;
  }

  get nowMs(): number {
    return this.#drivers[0]?.nowMs ?? 0;
  }

  permit(url: string, fields: Fields = {}): void {
    const domain = new URL(url).hostname;
    const driver = this.#driverOf(domain);
    driver.feed(topics.permits.name, domain, permitOf(url, driver.nowMs, { job: "j", ...fields }));
  }

  policy(pattern: string, value: object): void {
    for (const driver of this.#drivers) driver.table(topics.policies.name, pattern, value);
  }

  /** The task is another process's from now on: what it knew is gone, what was not finished comes again. */
  takeOver(domain: string): void {
    this.#driverOf(domain).restart();
  }

  run(forMs: number): void {
    for (let leftMs = forMs; leftMs > 0; leftMs -= 50) {
      for (const driver of this.#drivers) this.#settle(driver);
      for (const driver of this.#drivers) for (const each of driver.takeSent()) this.#carry(each);
      for (const driver of this.#drivers) driver.advance(50);
    }
  }

  #settle(driver: StepDriver<FetcherState, PermitRecord, FetchCall, FetchOutcome>): void {
    for (const { callId, request } of driver.calls.values()) {
      this.asked.push({ url: request.url, atMs: driver.nowMs });
      const [status, rules, fields] = this.answer(request.url);
      if (request.kind === "robots") driver.settle(callId, robotsAnswer(driver.nowMs, status, rules, fields));
      else driver.settle(callId, pageAnswer(driver.nowMs, status, fields));
    }
  }

  #carry({ topic, key, value }: SentRecord): void {
    if (topic === topics.due.name) {
      this.errands.push(value as Due);
      this.#driverOf(key).feed(topics.permits.name, key, permitted(value as Due, this.nowMs));
    } else if (topic === topics.permits.name)
      this.#driverOf(key).feed(topics.permits.name, key, value as Permit);
    else if (topic === topics.outcomes.name) this.outcomes.push({ key, outcome: value as Outcome });
  }

  atMs(host: string): readonly number[] {
    return this.asked.flatMap(({ url, atMs }) => (new URL(url).hostname === host ? [atMs] : []));
  }

  /** What became of the permits themselves. */
  get settled(): readonly string[] {
    return this.outcomes.flatMap(({ outcome: { errand, kind, category, releaseId } }) =>
      errand !== undefined ? [] : [`${releaseId} ${kind} ${category}`],
    );
  }
}

const leastGapMs = (instants: readonly number[]): number =>
  Math.min(...instants.slice(1).map((atMs, n) => atMs - (instants[n] ?? 0)));

/** Twelve tasks; `h7.example` lies in the eighth. */
const byNumber = (domain: string): number => Number(/^h(\d+)\./.exec(domain)?.[1] ?? 0) % 12;

const redirecting =
  (location: (host: string) => string): Tasks["answer"] =>
  (url) => {
    const { hostname, pathname } = new URL(url);
    if (pathname !== "/robots.txt" || hostname === "victim.example") return ["200", ["Disallow: /x"], {}];
    return ["302", [], { location: location(hostname) }];
  };

describe("robots.txt that redirects to another domain", () => {
  test("is asked for there a delay apart, of whatever partitions those are that redirect", () => {
    const tasks = new Tasks(
      12,
      byNumber,
      redirecting((host) => `https://victim.example/of-${host}`),
    );
    for (let n = 0; n < 48; n += 1) tasks.permit(`https://h${n}.example/`);
    tasks.permit("https://victim.example/");
    tasks.run(60_000);
    const asked = tasks.atMs("victim.example");
    // All of them, and its own robots.txt and page.
    expect(asked).toHaveLength(48 + 2);
    expect(leastGapMs(asked)).toBeGreaterThanOrEqual(delayMs);
    expect(tasks.settled.filter((each) => each.endsWith("settled ok"))).toHaveLength(49);
  });

  test("is asked for once where that is the other's own, and the rules hold for all", () => {
    const tasks = new Tasks(
      12,
      byNumber,
      redirecting(() => "https://victim.example/robots.txt"),
    );
    for (let n = 0; n < 24; n += 1) tasks.permit(`https://h${n}.example/${n % 2 === 0 ? "x" : "y"}`);
    tasks.run(10_000);
    expect(tasks.atMs("victim.example")).toHaveLength(1);
    expect(tasks.settled.toSorted()).toEqual([
      ...Array.from({ length: 12 }, () => "r-/x refused robots"),
      ...Array.from({ length: 12 }, () => "r-/y settled ok"),
    ]);
  });

  test("tells rate-limit of the other domain what was asked of it, and of the first only its own", () => {
    const tasks = new Tasks(
      2,
      byNumber,
      redirecting(() => "https://victim.example/elsewhere"),
    );
    tasks.permit("https://h1.example/");
    tasks.run(5000);
    const [errand] = tasks.errands;
    expect(errand).toMatchObject({
      url: "https://victim.example/elsewhere",
      errand: { domain: "h1.example" },
    });
    expect(
      tasks.outcomes.map(({ key, outcome }) => [key, outcome.errand, outcome.requests, outcome.releaseId]),
    ).toEqual([
      // Its place is free again while it is away: else hosts that redirect to each other would wait for each other.
      ["h1.example", "r-/", 1, errand?.releaseId],
      ["victim.example", errand?.releaseId, 1, errand?.releaseId],
      ["h1.example", undefined, 1, "r-/"],
    ]);
  });

  test("goes on over several domains, and after five redirects is as if there were none", () => {
    const hop: Tasks["answer"] = (url) => {
      const { hostname, pathname } = new URL(url);
      const number = byNumber(hostname);
      return pathname === "/robots.txt"
        ? ["301", [], { location: `https://h${number + 1}.example/robots.txt` }]
        : ["200", [], {}];
    };
    const tasks = new Tasks(12, byNumber, hop);
    tasks.permit("https://h1.example/x");
    tasks.run(20_000);
    expect(tasks.asked.map(({ url }) => new URL(url).hostname)).toEqual([
      ...[1, 2, 3, 4, 5, 6].map((n) => `h${n}.example`),
      "h1.example",
    ]);
    expect(tasks.settled).toEqual(["r-/x settled ok"]);
  });

  test("costs a URL its tries where the other domain fails, and is not fetched", () => {
    const tasks = new Tasks(2, byNumber, (url) =>
      url.includes("h1.example") ? ["302", [], { location: "https://victim.example/r" }] : ["503", [], {}],
    );
    tasks.permit("https://h1.example/x", { attempt: "1" });
    tasks.run(20_000);
    tasks.permit("https://h1.example/x", { attempt: "3" });
    tasks.run(60_000);
    expect(tasks.settled).toEqual(["r-/x retry http_5xx", "r-/x refused robots_unreachable"]);
    expect(tasks.asked.every(({ url }) => !url.endsWith("/x"))).toBe(true);
  });

  test("waits as long as the other domain asks for, without a try", () => {
    const tasks = new Tasks(2, byNumber, (url) => {
      if (url.includes("h1.example")) return ["302", [], { location: "https://victim.example/r" }];
      return ["429", [], { retryAfter: "600" }];
    });
    tasks.permit("https://victim.example/");
    tasks.run(3000);
    tasks.permit("https://h1.example/x");
    tasks.run(5000);
    expect(tasks.atMs("victim.example")).toHaveLength(1);
    expect(tasks.settled.at(-1)).toBe("r-/x deferred robots");
    expect((tasks.outcomes.at(-1)?.outcome.dueAtMs ?? 0) - tasks.nowMs).toBeGreaterThan(500_000);
  });

  test("refuses the URL where the other host is blocked, also when that is said while it waits there", () => {
    const tasks = new Tasks(
      2,
      byNumber,
      redirecting(() => "https://victim.example/r"),
    );
    tasks.permit("https://victim.example/");
    tasks.permit("https://h1.example/y");
    tasks.run(1200);
    tasks.policy("victim.example", { blocked: { reason: "asked by the owner" } });
    tasks.run(3000);
    expect(tasks.settled).toContain("r-/y retry robots_unreachable");
    tasks.run(10_000);
    tasks.permit("https://h1.example/z", { attempt: "2" });
    tasks.run(5000);
    expect(tasks.settled).toContain("r-/z refused robots_unreachable");
    expect(tasks.asked.some(({ url }) => url === "https://victim.example/r")).toBe(false);
  });

  test("has one URL of a host away at a time; the others come again", () => {
    const tasks = new Tasks(
      2,
      byNumber,
      redirecting(() => "https://victim.example/r"),
    );
    for (const path of ["a", "b", "c"]) tasks.permit(`https://h1.example/${path}`);
    tasks.run(6000);
    expect(tasks.errands).toHaveLength(1);
    expect(tasks.settled.toSorted()).toEqual([
      "r-/a settled ok",
      "r-/b deferred robots",
      "r-/c deferred robots",
    ]);
  });

  test("survives the loss of either side: what was not committed comes again, what was known is asked for again", () => {
    const tasks = new Tasks(
      2,
      byNumber,
      redirecting(() => "https://victim.example/r"),
    );
    tasks.permit("https://h1.example/y");
    tasks.run(1200);
    tasks.takeOver("h1.example");
    tasks.takeOver("victim.example");
    tasks.run(6000);
    expect(tasks.settled).toEqual(["r-/y settled ok"]);
    expect(leastGapMs(tasks.atMs("victim.example"))).toBeGreaterThanOrEqual(delayMs);
  });
});
