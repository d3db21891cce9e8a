import {
  emptyTally,
  jobSchema,
  topics,
  type CrawlEvent,
  type Due,
  type Link,
  type Outcome,
} from "@sluice/records";
import { MemoryEntries, MemoryScratch } from "@sluice/topology";
import { StepDriver } from "@sluice/topology/testing";
import { urlIdOf } from "@sluice/web";
import { describe, expect, test } from "vitest";
import { budgetOfTrap } from "../src/core/budget-rules.ts";
import { unitsOf } from "../src/core/units.ts";
import { storedEntry, newEntry } from "../src/core/entry.ts";
import { formerWaitingKey, keys } from "../src/core/keys.ts";
import type { FrontierState } from "../src/core/state.ts";
import { trapBudget } from "../src/core/trap-rules.ts";
import { defaultFrontierOptions } from "../src/options.ts";
import { frontierStep, lanes, type FrontierRecord } from "../src/step.ts";
import { checkTask } from "./invariants.ts";
import { answerTo } from "@sluice/records/testing";
import { linksTo } from "./records.ts";

const host = "h.example";
const root = `https://${host}/`;
const deep = (name: string): string => `${root}1/2/3/4/5/6/7/8/9/10/11/12/${name}`;
const month = (number: number): string => `${root}calendar/${2000 + number}/01/`;

const step = frontierStep({ ...defaultFrontierOptions, windowMax: 1000, releasedMax: 1000 });

/** One task with an open job `j`. */
class Bench {
  readonly driver: StepDriver<FrontierState, FrontierRecord>;
  readonly out: Due[] = [];
  readonly events: CrawlEvent[] = [];

  constructor(traps: "refuse" | "follow" = "refuse") {
    const job = jobSchema.parse({
      id: "j",
      open: true,
      scope: { kind: "any", traps },
      politeness: { delayMs: 0 },
    });
    this.driver = new StepDriver({
      step,
      keepHistory: false,
      tables: { [topics.jobs.name]: [[job.id, job]] },
    });
  }

  links(urls: readonly string[], fields: Partial<Link> = {}): void {
    this.driver.feed(topics.links.name, host, { ...linksTo("j", urls).link, root, ...fields });
    this.#take();
  }

  /** The release that has been out longest is answered. */
  answer(fields: Partial<Outcome> = {}): string {
    const due = this.out.shift();
    if (due === undefined) throw new Error("nothing is out");
    this.driver.feed(topics.outcomes.name, host, answerTo(due, fields));
    this.#take();
    return due.url;
  }

  get urls(): readonly string[] {
    return this.out.map(({ url }) => url);
  }

  get view() {
    const view = this.driver.state.views.get("j");
    if (view === undefined) throw new Error("no view of the job");
    return view;
  }

  /** The row of what looks like the URL. */
  row(look: "depth" | "calendar", url: string) {
    const budget = budgetOfTrap(trapBudget(look, url, host));
    const { used, leading, proofs } = unitsOf(this.driver.state, this.view, budget.name);
    return { used, leading, proofs };
  }

  #take(): void {
    for (const { topic, value } of this.driver.takeSent()) {
      if (topic === topics.due.name) this.out.push(value as Due);
      if (topic === topics.events.name) this.events.push(value as CrawlEvent);
    }
    checkTask(this.driver.state);
  }
}

describe("pages that look like one of endlessly many", () => {
  test("are given up with an event that names the rule, and counted; what is found later is refused as that", () => {
    const bench = new Bench();
    bench.links(Array.from({ length: 12 }, (_, at) => month(at)));
    expect(bench.out).toHaveLength(10);
    while (bench.out.length > 0) bench.answer();
    const told = bench.events.filter((event) => event.type === "url_failed");
    expect(told).toHaveLength(2);
    expect(told[0]).toMatchObject({
      url: month(11),
      category: "trap_calendar",
      detail: `pages like it of ${host} lead to nothing but more of them`,
      refused: true,
      final: true,
    });
    bench.links([month(50), `${root}other`]);
    expect(bench.urls).toEqual([`${root}other`]);
    expect(Object.fromEntries(bench.view.skippedBy)).toEqual({ trap_calendar: 2 });
    expect(Object.fromEntries(bench.view.refusedBy)).toEqual({ trap_calendar: 1 });
  });

  test("are all asked for where the job says that traps are followed", () => {
    const bench = new Bench("follow");
    bench.links(Array.from({ length: 100 }, (_, at) => month(at)));
    bench.links(
      Array.from({ length: 100 }, (_, at) => deep(`${at}`)),
      { suspicion: "depth", kin: "stray" },
    );
    expect(bench.out).toHaveLength(200);
  });

  test("are judged once a page, however many records its links take", () => {
    const bench = new Bench();
    const more = (part: number): string[] => Array.from({ length: 500 }, (_, at) => deep(`${part}/${at}/`));
    bench.links(more(0), { suspicion: "depth" });
    bench.links(more(1), { suspicion: "depth", further: true });
    bench.links(more(1), { suspicion: "depth", further: true });
    expect(bench.row("depth", deep(""))).toEqual({ used: 0, leading: 1, proofs: 0 });
    bench.links([`${root}new`], { suspicion: "depth", further: true });
    bench.links([`${root}newer`], { suspicion: "depth", further: true });
    expect(bench.row("depth", deep(""))).toEqual({ used: 0, leading: 0, proofs: 1 });
  });

  test("wait for a page that leads somewhere, but a seed waits for none", () => {
    const bench = new Bench();
    bench.links([deep("a/"), deep("b/"), deep("c/")]);
    expect(bench.urls).toEqual([deep("a/")]);
    bench.links([deep("c/")], { kind: "seed", depth: 0, root: deep("c/") });
    expect(bench.urls).toEqual([deep("a/"), deep("c/")]);
  });

  test("of hosts that only strays lead to wait no more once another page does", () => {
    const bench = new Bench();
    const stray = (name: string): string => `https://${name}.${host}/`;
    for (const name of ["a", "b", "c"])
      bench.driver.feed(topics.links.name, `${name}.${host}`, {
        ...linksTo("j", [stray(name)]).link,
        root,
        kin: "stray",
      });
    bench.links([`${root}x`]);
    expect(bench.urls).toEqual([stray("a"), `${root}x`]);
    bench.driver.feed(topics.links.name, `c.${host}`, { ...linksTo("j", [stray("c")]).link, root });
    bench.links([`${root}y`]);
    expect(bench.urls).toEqual([stray("a"), `${root}x`, stray("c"), `${root}y`]);
  });

  test("that an older version held by a rule there is no more are looked at anew", () => {
    const bench = new Bench();
    const entry = newEntry({
      url: `${root}calendar/2001/01/02/`,
      urlId: urlIdOf(`${root}calendar/2001/01/02/`),
      domain: host,
      depth: 1,
      root,
      parent: null,
      redirects: 0,
      priority: 50,
      granted: false,
      sitemap: 0,
      stray: false,
    });
    const tally = { ...emptyTally(), admitted: 1 };
    const stored = new MemoryEntries<unknown>();
    stored.map.set(keys.view("j"), { run: 1, tally, wave: 0, halt: null, recall: false, number: 1 });
    const key = formerWaitingKey(keys.held(1, `t/former/${host}`, entry), entry.urlId);
    stored.map.set(key, storedEntry(entry, null));
    const state = step.load(stored, new MemoryScratch());
    const context = { ...bench.driver.context, entries: stored };
    const out = step.step(state, { kind: "wake", lane: lanes.clearing }, 1000, context);
    const due = out.filter((effect) => effect.kind === "send" && effect.topic === topics.due.name);
    expect(due).toMatchObject([{ value: { url: entry.url } }]);
    checkTask(state);
  });
});
