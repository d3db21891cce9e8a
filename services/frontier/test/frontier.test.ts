import { emptyTally, jobIdSchema, jobSchema, partitionOf, topics, type Due } from "@sluice/records";
import { MemoryEntries, MemoryScratch } from "@sluice/topology";
import { StepDriver } from "@sluice/topology/testing";
import { canonicalize, urlIdOf } from "@sluice/web";
import { describe, expect, test } from "vitest";
import { newEntry, storedEntry, type OpenEntry } from "../src/core/entry.ts";
import { budgetsOf } from "../src/core/budget-rules.ts";
import { Ceilings } from "../src/core/ceilings.ts";
import { formerWaitingKey, keys, parseDelayed } from "../src/core/keys.ts";
import { defaultFrontierOptions, type FrontierOptions } from "../src/options.ts";
import { frontierStep, type FrontierRecord } from "../src/step.ts";
import type { FrontierState } from "../src/core/state.ts";
import { checkTask } from "./invariants.ts";
import { answerTo } from "@sluice/records/testing";
import { linksTo } from "./records.ts";

class Bench {
  readonly driver: StepDriver<FrontierState, FrontierRecord>;

  constructor(jobs: readonly object[], options: FrontierOptions = defaultFrontierOptions) {
    const parsed = jobs.map((each) => jobSchema.parse(each));
    this.driver = new StepDriver({
      step: frontierStep(options),
      tables: { [topics.jobs.name]: parsed.map((each) => [each.id, each] as const) },
    });
  }

  links(job: string, urls: readonly string[], depth = 1): void {
    const { domain, link } = linksTo(job, urls, depth);
    this.driver.feed(topics.links.name, domain, link);
  }

  /** Releases written since the last call. */
  released(): readonly Due[] {
    return this.driver
      .takeSent()
      .flatMap(({ topic, value }) => (topic === topics.due.name ? [value as Due] : []));
  }

  settle(due: Due): void {
    const outcome = answerTo(due, { endedAtMs: this.driver.nowMs, latencyMs: 1 });
    this.driver.feed(topics.outcomes.name, new URL(due.url).hostname, outcome);
  }
}

const openJob = (id: string, delayMs = 0): object => ({
  id,
  open: true,
  scope: { kind: "any" },
  politeness: { delayMs },
});

describe("frontier", () => {
  test("a host with 100,000 URLs takes nothing from one with ten", () => {
    const bench = new Bench([openJob("j")], { ...defaultFrontierOptions, releasedMax: 120 });
    for (let from = 0; from < 100_000; from += 1000) {
      bench.links(
        "j",
        Array.from({ length: 1000 }, (_, index) => `https://huge.example/${from + index}`),
      );
    }
    bench.links(
      "j",
      Array.from({ length: 10 }, (_, index) => `https://tiny.example/${index}`),
    );
    const out = [...bench.released()];
    let settled = 0;
    const tiny = (): number => out.filter(({ url }) => url.includes("tiny")).length;
    // Oldest first, one at a time: the ten have their turn within two windows' worth of outcomes.
    while (tiny() < 10 && settled < 240) {
      const due = out[settled];
      if (due === undefined) break;
      settled += 1;
      bench.settle(due);
      out.push(...bench.released());
    }
    expect(tiny()).toBe(10);
    checkTask(bench.driver.state);
  });

  test("takes turns between jobs on one host, and goes through a host by depth", () => {
    const bench = new Bench([openJob("a", 15_000), openJob("b", 15_000)]);
    bench.driver.table("flow", "release", {});
    bench.links("a", ["https://h.example/a9"], 9);
    bench.links("a", ["https://h.example/a1", "https://h.example/a1b"], 1);
    bench.links("b", ["https://h.example/b5"], 5);
    bench.links("b", ["https://h.example/b2"], 2);
    bench.driver.table("flow", "release", undefined);
    const order: string[] = [];
    for (let batch = bench.released(); batch.length > 0; batch = bench.released()) {
      order.push(...batch.map(({ url }) => url.slice(18)));
      for (const due of batch) bench.settle(due);
    }
    expect(order).toEqual(["a1", "b2", "a1b", "b5", "a9"]);
  });

  test("keeps the order of admission over restarts", () => {
    const bench = new Bench([openJob("j", 15_000)]);
    const urls = Array.from({ length: 40 }, (_, index) => `https://h.example/${index}`);
    const order: string[] = [];
    for (const url of urls) {
      bench.links("j", [url]);
      bench.driver.restart();
    }
    // History was kept by the restarts, so the first two come from there.
    const first = bench.driver.sent(topics.due.name) as Due[];
    const queue = [...first];
    for (let due = queue.shift(); due !== undefined; due = queue.shift()) {
      order.push(due.url);
      bench.settle(due);
      queue.push(...bench.released());
      bench.driver.commit();
    }
    expect(order).toEqual(urls);
  });

  test("forgets domains with nothing waiting and nothing out", () => {
    const bench = new Bench([openJob("j")]);
    for (let index = 0; index < 500; index += 1) bench.links("j", [`https://d${index}.example/`]);
    for (const due of bench.released()) bench.settle(due);
    expect(bench.driver.state.hosts.size).toBe(0);
    expect(bench.driver.state.ready.size).toBe(0);
    expect([...bench.driver.state.views.values()].map(({ hosts }) => hosts.size)).toEqual([0]);
  });

  test("a stalled reader stops every release, and its return starts them again", () => {
    const bench = new Bench([openJob("j")]);
    bench.driver.table("flow", "release", { group: "sink" });
    bench.links("j", ["https://a.example/", "https://a.example/b"]);
    expect(bench.released()).toEqual([]);
    bench.driver.restart();
    expect(bench.released()).toEqual([]);
    bench.driver.table("flow", "release", undefined);
    expect(bench.released().length).toBe(2);
  });

  test("keys of the durable state part at bars, which no job id and no URL id can hold", () => {
    expect(jobIdSchema.safeParse("a|b").success).toBe(false);
    const bench = new Bench([openJob("j")]);
    bench.links("j", ["https://a.example/x|y?q=|"]);
    const [due] = bench.released();
    expect(due?.urlId).toMatch(/^[0-9a-f]{32}$/);
    bench.driver.restart();
    const [view] = bench.driver.state.views.values();
    expect(view?.known.size).toBe(1);
    expect(view?.known.get(due?.urlId ?? "")).toEqual({ at: "out", depth: 1, place: 0 });
    expect(view?.inFlight).toBe(1);
  });

  test("an older record of a job cancels nothing of a newer run", () => {
    const bench = new Bench([openJob("j")]);
    bench.driver.feed(topics.grants.name, "j/0", {
      job: "j",
      run: 2,
      task: 0,
      granted: 0,
      recall: false,
      wave: 1,
      halt: null,
    });
    bench.driver.table(topics.jobs.name, "j", jobSchema.parse({ ...openJob("j"), desired: "cancelled" }));
    expect(bench.driver.state.views.get("j")).toMatchObject({ run: 2, halt: null });
  });

  test("links of a run that the owner has left behind count for nothing", () => {
    const bench = new Bench([openJob("j")]);
    bench.driver.feed(topics.grants.name, "j/0", {
      job: "j",
      run: 2,
      task: 0,
      granted: 0,
      recall: false,
      wave: 1,
      halt: null,
    });
    bench.links("j", ["https://a.example/"]);
    expect(bench.driver.state.views.get("j")?.tally).toMatchObject({ received: 0, admitted: 0 });
    bench.driver.end();
  });

  test("a page that leads only to known URLs is not cut off by maxPages", () => {
    const bench = new Bench([{ id: "j", seeds: ["https://a.example/"], limits: { maxPages: 1 } }]);
    bench.links("j", ["https://a.example/"]);
    bench.driver.feed(topics.grants.name, "j/0", {
      job: "j",
      run: 1,
      task: 0,
      granted: 1,
      recall: false,
      wave: 1,
      halt: null,
    });
    for (const due of bench.released()) bench.settle(due);
    bench.driver.feed(topics.grants.name, "j/0", {
      job: "j",
      run: 1,
      task: 0,
      granted: 1,
      recall: false,
      wave: 1,
      halt: "max_pages",
    });
    bench.links("j", ["https://a.example/", "https://a.example/"]);
    expect(bench.driver.state.views.get("j")?.tally).toMatchObject({ done: 1, limited: 0 });
  });

  test("a thousand records whose job is unknown hold up nobody else's", () => {
    const bench = new Bench([openJob("j")]);
    for (let index = 0; index < 900; index += 1)
      bench.driver.feed(topics.seeds.name, "", { url: `https://a.example/${index}`, job: "nobody" });
    bench.driver.feed(topics.seeds.name, "", { url: "https://b.example/", job: "j" });
    expect(bench.driver.unfinished.length).toBe(900);
    expect(bench.driver.sent(topics.links.name).length).toBe(1);
    bench.driver.advance(defaultFrontierOptions.unknownJobMs);
    expect(bench.driver.rejected.length).toBe(900);
    bench.driver.end();
  });

  test("the owner of a job is the task its id hashes to", () => {
    const tasks = 5;
    const job = jobSchema.parse({ id: "j", seeds: ["https://a.example/"] });
    const sentBy = Array.from({ length: tasks }, (_, task) => {
      const driver = new StepDriver({
        step: frontierStep(),
        task,
        tasks,
        partitionOf: (key) => partitionOf(key, tasks),
        tables: { [topics.jobs.name]: [["j", job]] },
      });
      return driver.sent(topics.links.name).length;
    });
    expect(sentBy.map((sent, task) => (sent > 0 ? task : null)).filter((task) => task !== null)).toEqual([
      partitionOf("j", tasks),
    ]);
  });
});

describe("state of another version", () => {
  test("is taken over: what is known stays known, what waits is released in order, what is out is answered", () => {
    const step = frontierStep();
    const job = jobSchema.parse(openJob("j"));
    const url = (name: string) => {
      const found = canonicalize(`https://h.example/${name}`);
      if (found.kind === "refused") throw new Error(found.detail);
      return found;
    };
    const open = (name: string, seq: number, releaseId: string | null) => ({
      run: 1,
      kind: "open",
      url: url(name).url,
      urlId: url(name).urlId,
      domain: "h.example",
      depth: 1,
      root: null,
      parent: null,
      redirects: 0,
      seq,
      attempt: 1,
      releases: releaseId === null ? 0 : 1,
      granted: false,
      releaseId,
      leaseUntilMs: 0,
      dueAtMs: 0,
    });
    const tally = { ...emptyTally(), admitted: 4, done: 1 };
    const former = new MemoryEntries<unknown>();
    former.map.set("j|j", { run: 1, tally, wave: 0, halt: null, recall: false });
    former.map.set(`u|j|${url("done").urlId}`, { run: 1, kind: "done", depth: 1 });
    const releaseId = `j/1/${url("out").urlId}/1`;
    former.map.set(`u|j|${url("out").urlId}`, open("out", 1, releaseId));
    former.map.set(`u|j|${url("a").urlId}`, open("a", 3, null));
    former.map.set(`u|j|${url("b").urlId}`, open("b", 2, null));
    const state = step.load(former, new MemoryScratch());
    const context = {
      ...new StepDriver({ step }).context,
      entries: former,
      tables: { [topics.jobs.name]: new Map([["j", job]]) },
    };
    const out: Due[] = [];
    for (const effect of step.step(state, { kind: "restored" }, 1000, context)) {
      if (effect.kind === "put" && effect.value === null) former.map.delete(effect.key);
      else if (effect.kind === "put") former.map.set(effect.key, effect.value);
      else if (effect.kind === "send" && effect.topic === topics.due.name) out.push(effect.value as Due);
    }
    expect(out.map((due) => due.url.slice(-1))).toEqual(["b", "a"]);
    expect([...former.keys("u|")]).toEqual([]);
    const again = step.load(former, new MemoryScratch());
    again.read(former);
    checkTask(again);
    expect([again.views.get("j")?.known.size, again.out.size, again.out.has(releaseId)]).toEqual([
      4,
      3,
      true,
    ]);
  });

  describe("with whole ids in the keys of what waits", () => {
    /** A task with URLs of h.example that an older version has left, all at depth 2. */
    function leftBy(
      older: readonly (readonly [name: string, at: Partial<OpenEntry>])[],
      limits: object = {},
    ) {
      const step = frontierStep();
      const job = jobSchema.parse({ ...openJob("j"), limits });
      const stored = new MemoryEntries<unknown>();
      const tally = { ...emptyTally(), admitted: older.length };
      stored.map.set("j|j", { run: 1, tally, wave: 0, halt: null, recall: false, number: 1 });
      for (const [name, at] of older) {
        const url = `https://h.example/${name}`;
        const found = { url, urlId: urlIdOf(url), domain: "h.example", depth: 2, root: null, parent: null };
        const rest = { redirects: 0, priority: 50, granted: false, sitemap: 0, stray: false };
        const entry = { ...newEntry({ ...found, ...rest }), ...at };
        const [budget] = budgetsOf(job, { url, root: null, stray: false }, new Ceilings());
        const key =
          entry.delayedBy === null
            ? keys.queued(1, entry)
            : entry.delayedBy === "budget"
              ? keys.held(1, budget?.name ?? "", entry)
              : keys.delayed(1, entry);
        const formerKey = formerWaitingKey(key, entry.urlId);
        expect(formerKey).toContain(Buffer.from(entry.urlId, "hex").toString("base64url"));
        stored.map.set(formerKey, storedEntry(entry, null));
      }
      const formerKeys = [...stored.keys("")].filter((key) => key !== "j|j");
      const state = step.load(stored, new MemoryScratch());
      state.read(stored);
      checkTask(state);
      const tables = { [topics.jobs.name]: new Map([["j", job]]) };
      const context = { ...new StepDriver({ step }).context, entries: stored, tables };
      const out: Due[] = [];
      /** A link to all of them from a page at that depth. */
      const find = (depth: number): void => {
        const urls = older.map(([name]) => `https://h.example/${name}`);
        const { domain, link } = linksTo("j", urls, depth);
        const record = { topic: topics.links.name, partition: 0, offset: 0, key: domain, value: link };
        const input = { ...record, id: "l/0/0", headers: {}, timestampMs: 1000 } as FrontierRecord;
        for (const effect of step.step(state, { kind: "record", record: input }, 1000, context)) {
          if (effect.kind === "put" && effect.value === null) stored.map.delete(effect.key);
          else if (effect.kind === "put") stored.map.set(effect.key, effect.value);
          else if (effect.kind === "send" && effect.topic === topics.due.name) out.push(effect.value as Due);
        }
        checkTask(state);
      };
      const left = (): readonly string[] => formerKeys.filter((key) => stored.get(key) !== undefined);
      return { find, out, left, stored };
    }

    test("finds it, brings it nearer and releases it", () => {
      const { find, out, left, stored } = leftBy([
        ["fresh", { place: 1 }],
        ["granted", { place: 2, granted: true }],
        ["delayed", { dueAtMs: 5000, delayedBy: "back_off" }],
      ]);
      find(1);
      expect(out.map(({ url, depth }) => [url.slice(18), depth])).toEqual([
        ["granted", 1],
        ["fresh", 1],
      ]);
      expect(left()).toEqual([]);
      expect([...stored.keys("d")].map((key) => parseDelayed(key))).toMatchObject([
        { depth: 1, dueAtMs: 5000, delayedBy: "back_off" },
      ]);
    });

    test("finds what is held by a budget", () => {
      const { find, out, left } = leftBy(
        [
          ["fresh", { place: 1 }],
          ["held", { place: 2, delayedBy: "budget" }],
        ],
        { perHost: { pagesMax: 1 } },
      );
      expect(left()).toHaveLength(2);
      find(1);
      expect(left()).toEqual([]);
      // Nothing is left of the budget for the second one.
      expect(out).toHaveLength(1);
    });
  });

  test("is left alone where a newer version has written it in a form of its own", () => {
    const stored = new MemoryEntries<unknown>();
    const view = { run: 1, tally: emptyTally(), wave: 0, halt: null, recall: false, number: 1 };
    stored.map.set("j|j", { ...view, form: 99 });
    expect(() => frontierStep().load(stored, new MemoryScratch())).toThrow("job j is stored in form 99");
  });
});
