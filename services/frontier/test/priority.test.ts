import { jobSchema, topics, type Due, type Link } from "@sluice/records";
import { StepDriver } from "@sluice/topology/testing";
import { canonicalize, type CanonicalUrl } from "@sluice/web";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { entryOf, newEntry, storedWaiting, type OpenEntry } from "../src/core/entry.ts";
import { keys, parseDelayed, parseQueued, placeInQueue, seekWaiting } from "../src/core/keys.ts";
import { depthMax, unread } from "../src/core/known-slots.ts";
import { Roots } from "../src/core/roots.ts";
import type { FrontierState } from "../src/core/state.ts";
import { defaultFrontierOptions, type FrontierOptions } from "../src/options.ts";
import { frontierStep, type FrontierRecord } from "../src/step.ts";
import { checkTask } from "./invariants.ts";
import { answerTo } from "@sluice/records/testing";
import { linksTo } from "./records.ts";

type JobFields = { readonly id: string; readonly priority?: number };

function canonicalUrl(text: string): CanonicalUrl {
  const url = canonicalize(text);
  if (url.kind === "refused") throw new Error(url.detail);
  return url;
}

/** One frontier task whose releases are answered one by one, the oldest first. */
class Bench {
  readonly driver: StepDriver<FrontierState, FrontierRecord>;
  readonly #out: Due[] = [];

  constructor(jobs: readonly JobFields[], options: Partial<FrontierOptions> = {}, delayMs = 0) {
    const parsed = jobs.map((each) =>
      jobSchema.parse({ ...each, open: true, scope: { kind: "any" }, politeness: { delayMs } }),
    );
    this.driver = new StepDriver({
      step: frontierStep({ ...defaultFrontierOptions, ...options }),
      keepHistory: false,
      tables: { [topics.jobs.name]: parsed.map((each) => [each.id, each] as const) },
    });
  }

  links(job: string, urls: readonly string[], fields: Partial<Link> = {}): void {
    const { domain, link } = linksTo(job, urls);
    this.driver.feed(topics.links.name, domain, { ...link, ...fields });
  }

  /** `count` URLs of a job on a host. */
  many(job: string, host: string, count: number): void {
    for (let from = 0; from < count; from += 1000) {
      const length = Math.min(1000, count - from);
      this.links(
        job,
        Array.from({ length }, (_, index) => `https://${host}/${job}/${from + index}`),
      );
    }
  }

  /** Answers so many releases; what was answered, in order. */
  answer(count: number): readonly Due[] {
    const answered: Due[] = [];
    while (answered.length < count) {
      for (const { topic, value } of this.driver.takeSent())
        if (topic === topics.due.name) this.#out.push(value as Due);
      const due = this.#out.shift();
      if (due === undefined) break;
      answered.push(due);
      this.driver.feed(topics.outcomes.name, new URL(due.url).hostname, answerTo(due));
    }
    return answered;
  }
}

const shares = (answered: readonly Due[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const { job } of answered) counts[job] = (counts[job] ?? 0) + 1;
  return counts;
};

describe("jobs share what they want together", () => {
  test("a host, in proportion to their priorities, and the least of them has its part", () => {
    const bench = new Bench(
      [{ id: "high", priority: 100 }, { id: "usual" }, { id: "low", priority: 0 }],
      {},
      15_000,
    );
    for (const job of ["high", "usual", "low"]) bench.many(job, "h.example", 2000);
    const counts = shares(bench.answer(1510));
    expect(counts["high"]).toBeGreaterThan(990);
    expect(counts["high"]).toBeLessThan(1010);
    expect(counts["usual"]).toBeGreaterThan(490);
    expect(counts["usual"]).toBeLessThan(510);
    expect(counts["low"]).toBeGreaterThanOrEqual(9);
    checkTask(bench.driver.state);
  });

  test("the task, whatever the number of their hosts: one with 3,000 takes nothing from one with ten", () => {
    const bench = new Bench([{ id: "wide" }, { id: "narrow" }], { releasedMax: 50, windowMax: 4 });
    for (let host = 0; host < 3000; host += 1) bench.many("wide", `w${host}.example`, 4);
    for (let host = 0; host < 10; host += 1) bench.many("narrow", `n${host}.example`, 20);
    // What was released before the second job came is answered first; then each has every second one.
    bench.answer(50);
    const counts = shares(bench.answer(400));
    expect(counts["narrow"]).toBe(200);
    checkTask(bench.driver.state);
  });

  test("and one that has waited for long has saved nothing up", () => {
    const bench = new Bench([{ id: "a" }, { id: "b" }], {}, 15_000);
    bench.many("a", "h.example", 1000);
    bench.answer(500);
    bench.many("b", "h.example", 1000);
    const counts = shares(bench.answer(100));
    expect(Math.abs((counts["a"] ?? 0) - (counts["b"] ?? 0))).toBeLessThanOrEqual(4);
  });
});

describe("URLs of one job on one host", () => {
  const paths = (answered: readonly Due[]): readonly string[] =>
    answered.map(({ url }) => new URL(url).pathname);

  test("go by priority, then by depth, then as they came; also after a restart", () => {
    const bench = new Bench([{ id: "j" }], {}, 15_000);
    bench.driver.table("flow", "release", {});
    const add = (path: string, depth: number, priority?: number): void =>
      bench.links("j", [`https://h.example${path}`], {
        depth,
        ...(priority === undefined ? {} : { priority }),
      });
    add("/usual-deep", 3);
    add("/low", 0, 10);
    add("/usual", 1);
    add("/high-deep", 9, 90);
    add("/usual-too", 1, 50);
    add("/high", 2, 90);
    add("/first", 5, 100);
    add("/last", 1, 0);
    bench.driver.commit();
    bench.driver.restartFromCommit();
    bench.driver.table("flow", "release", undefined);
    expect(paths(bench.answer(8))).toEqual([
      "/first",
      "/high",
      "/high-deep",
      "/usual",
      "/usual-too",
      "/usual-deep",
      "/low",
      "/last",
    ]);
  });

  test("one that waits goes as the most urgent and the nearest of the ways it was found by", () => {
    const bench = new Bench([{ id: "j" }], {}, 15_000);
    bench.driver.table("flow", "release", {});
    const add = (path: string, depth: number, priority: number): void =>
      bench.links("j", [`https://h.example${path}`], { depth, priority });
    add("/a", 1, 50);
    add("/b", 4, 50);
    add("/b", 6, 80);
    add("/b", 5, 20);
    bench.driver.table("flow", "release", undefined);
    const answered = bench.answer(2);
    expect(paths(answered)).toEqual(["/b", "/a"]);
    expect(answered.map(({ depth, priority }) => [depth, priority])).toEqual([
      [4, 80],
      [1, undefined],
    ]);
    checkTask(bench.driver.state);
  });

  test("a seed's priority goes with it to the task of its domain", () => {
    const bench = new Bench([{ id: "j" }]);
    bench.driver.feed(topics.seeds.name, "", { url: "https://h.example/", job: "j", priority: 70 });
    const [link] = bench.driver.takeSent().filter(({ topic }) => topic === topics.links.name);
    expect(link?.value).toMatchObject({ kind: "seed", priority: 70 });
  });

  test("are stored under keys whose order is that of release, and that say all of it again", () => {
    const entry = fc.record({
      depth: fc.integer({ min: 0, max: 8191 }),
      priority: fc.oneof(fc.constant(50), fc.integer({ min: 0, max: 100 })),
      place: fc.integer({ min: 0, max: 36 ** 7 - 1 }),
      granted: fc.boolean(),
    });
    type Drawn = { depth: number; priority: number; place: number; granted: boolean };
    let page = 0;
    let url = canonicalUrl("https://h.example/x");
    const keyOf = (drawn: Drawn): string => keys.queued(7, { ...url, ...drawn } as unknown as OpenEntry);
    const rank = ({ granted, priority, depth, place }: Drawn): readonly number[] =>
      granted ? [0, 0, 0, place] : [1, -priority, depth, place];
    fc.assert(
      fc.property(entry, entry, (a, b) => {
        page += 1;
        url = canonicalUrl(`https://h.example/${page}`);
        const difference = rank(a)
          .map((part, at) => part - (rank(b)[at] ?? 0))
          .find((part) => part !== 0);
        const keyA = keyOf(a);
        const keyB = keyOf(b);
        if (difference !== undefined) expect(keyA < keyB).toBe(difference < 0);
        const { priority, ...said } = parseQueued(keyA);
        expect(said).toMatchObject({ depth: a.depth, place: a.place, granted: a.granted });
        const { idAt, ...place } = placeInQueue(keyA, keys.queue(7, url.domain));
        expect({ ...said, ...place, priority }).toEqual({ ...said, priority });
        const id = { high: 0, low: 0, rest: 0 };
        seekWaiting(keyA, idAt, id);
        expect(id).toEqual({
          high: parseInt(url.urlId.slice(0, 8), 16),
          low: parseInt(url.urlId.slice(8, 16), 16),
          rest: unread,
        });
        // What holds a grant goes first whatever its priority, which only its entry says.
        if (!a.granted) expect(priority).toBe(a.priority);
      }),
      { numRuns: 2000 },
    );
  });

  test("are stored with what their keys do not say, however deep they are", () => {
    const url = canonicalUrl("https://h.example/x");
    const found = { ...url, root: null, parent: null, redirects: 0, sitemap: 0, stray: false };
    const drawn = fc.record({
      depth: fc.constantFrom(0, 3, depthMax - 1, depthMax, depthMax + 1, 1_000_000),
      attempt: fc.integer({ min: 1, max: 3 }),
      granted: fc.boolean(),
      dueAtMs: fc.constantFrom(0, 5000),
    });
    fc.assert(
      fc.property(drawn, ({ depth, attempt, granted, dueAtMs }) => {
        const entry = newEntry({ ...found, depth, granted, priority: 50 });
        Object.assign(entry, { attempt, dueAtMs, delayedBy: dueAtMs === 0 ? null : "back_off" });
        const said =
          dueAtMs === 0 ? parseQueued(keys.queued(1, entry)) : parseDelayed(keys.delayed(1, entry));
        expect(entryOf(said, storedWaiting(entry, null), new Roots())).toEqual(entry);
      }),
      { numRuns: 2000 },
    );
  });
});
