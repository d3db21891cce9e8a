import {
  jobSchema,
  nothingWaiting,
  topics,
  type Counters,
  type CrawlEvent,
  type Due,
  type JobStatus,
  type Outcome,
  type WaitingBy,
} from "@sluice/records";
import { StepDriver } from "@sluice/topology/testing";
import { expect } from "vitest";
import { defaultFrontierOptions, type FrontierOptions } from "../src/options.ts";
import { frontierStep, type FrontierRecord } from "../src/step.ts";
import type { FrontierState } from "../src/core/state.ts";
import { checkTask } from "./invariants.ts";
import { answerTo } from "@sluice/records/testing";
import { linksTo } from "./records.ts";

/** The only task of a frontier with one job `j`, whose counters and grants come back to it as through the topics. */
export class JobBench {
  readonly driver: StepDriver<FrontierState, FrontierRecord>;
  readonly out: Due[] = [];
  readonly events: CrawlEvent[] = [];
  /** Keys of removed records, by topic. */
  readonly removed: (readonly [topic: string, key: string])[] = [];
  status: JobStatus | null = null;
  /** What was said to be about to be given up, from status to status. */
  readonly ending: number[] = [];
  #settled = 0;

  constructor(job: object = {}, options: Partial<FrontierOptions> = {}) {
    this.driver = new StepDriver({
      step: frontierStep({ ...defaultFrontierOptions, ...options }),
      nowMs: 1_000_000_000,
    });
    this.job(job);
  }

  /** Open unless said otherwise: it does not end before something was found. */
  job(fields: object): void {
    this.driver.table(topics.jobs.name, "j", jobSchema.parse({ id: "j", open: true, ...fields }));
    this.settle();
  }

  links(host: string, count: number, run = 1): void {
    this.#find(
      Array.from({ length: count }, (_, index) => `https://${host}/${index}`),
      run,
    );
  }

  /** All on one host. */
  urls(...urls: readonly string[]): void {
    this.#find(urls, 1);
  }

  #find(urls: readonly string[], run: number): void {
    const { domain, link } = linksTo("j", urls);
    // As whoever wrote the record would have said.
    const view = this.driver.state.views.get("j");
    if (view !== undefined) view.tally.announced += 1;
    this.driver.feed(topics.links.name, domain, { ...link, run });
    this.settle();
  }

  /** Of the release that has been out longest. */
  answer(fields: Partial<Outcome>): Due {
    const due = this.out.shift();
    if (due === undefined) throw new Error("nothing is out");
    this.driver.feed(
      topics.outcomes.name,
      new URL(due.url).hostname,
      answerTo(due, { ok: false, ...fields }),
    );
    this.settle();
    return due;
  }

  /** What is sent to the task itself is read, until nothing is. */
  settle(): void {
    for (;;) {
      const sent = this.driver.takeSent();
      if (sent.length === 0) break;
      for (const { topic, key, value } of sent) this.#take(topic, key, value);
    }
    // A check looks at every URL.
    this.#settled += 1;
    if (this.#settled < 200 || this.#settled % 100 === 0) checkTask(this.driver.state);
  }

  #take(topic: string, key: string, value: unknown): void {
    if (value === null) this.removed.push([topic, key]);
    else if (topic === topics.due.name) this.out.push(value as Due);
    else if (topic === topics.events.name) this.events.push(value as CrawlEvent);
    else if (topic === topics.counters.name && (value as Counters).kind === "job") {
      this.status = value as JobStatus;
      this.ending.push(this.status.waitingBy?.ending ?? 0);
    } else this.driver.feed(topic, key, value as Counters);
  }

  get waitingBy(): Partial<WaitingBy> {
    const { status } = this;
    const by = status?.waitingBy ?? nothingWaiting();
    expect(Object.values(by).reduce((sum, count) => sum + count, 0)).toBe(status?.waiting);
    return Object.fromEntries(Object.entries(by).filter(([, count]) => count > 0));
  }
}
