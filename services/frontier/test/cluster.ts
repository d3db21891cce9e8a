import {
  hostOf,
  partitionOf,
  topics,
  type CrawlEvent,
  type Due,
  type Job,
  type Link,
  type Outcome,
  type Policy,
} from "@sluice/records";
import { kinshipOf, suspicionOf } from "@sluice/web";
import { StepDriver, type Random, type SentRecord } from "@sluice/topology/testing";
import { defaultFrontierOptions, type FrontierOptions } from "../src/options.ts";
import { frontierStep, type FrontierRecord } from "../src/step.ts";
import type { FrontierState } from "../src/core/state.ts";
import type { Web } from "./web.ts";
import { answerTo } from "@sluice/records/testing";

type Driver = StepDriver<FrontierState, FrontierRecord>;

interface Log {
  readonly topic: string;
  readonly partition: number;
  readonly records: { readonly key: string; readonly value: unknown }[];
  read: number;
}

/** What a task has not read yet of the tables of jobs and of policies. */
type TableChange = { readonly task: number; readonly writtenAtMs: number } & (
  | { readonly job: Job; readonly removed?: true }
  | { readonly pattern: string; readonly policy: Policy | undefined }
);

export interface Chances {
  /** Of a release that it comes back as a retry, deferred or expired before it is settled. */
  readonly detour: number;
  /** By step: of a crash of one task, and of a clean restart. */
  readonly crash: number;
  readonly restart: number;
  /** By step: of a commit. */
  readonly commit: number;
  /** By step: that downstream lag holds release, or lets it go on. */
  readonly hold: number;
}

/**
 * Several frontier tasks with the topics between them, and a world that answers what they release. Records
 * stay in order within a partition of a topic, and come in any order otherwise. What a task sends is seen by
 * others when it commits; a task that crashes begins again from its last commit.
 */
export class Cluster {
  readonly tasks: readonly Driver[];
  readonly due: Due[] = [];
  readonly results: string[] = [];
  readonly events: CrawlEvent[] = [];
  readonly rejected: string[] = [];
  /** Releases without an outcome. */
  readonly out = new Map<string, Due>();
  /** Most out at once, by domain. */
  readonly outMost = new Map<string, number>();
  /** Due records written after a terminal event. */
  lateDue = 0;
  steps = 0;
  readonly #logs = new Map<string, Log>();
  /** Logs with records to read, so that picking one is cheap. */
  readonly #open: Log[] = [];
  readonly #tables: TableChange[] = [];
  readonly #lateJobMs: number;
  readonly #random: Random;
  readonly #web: Pick<Web, "page">;
  readonly #chances: Chances;

  constructor(
    tasks: number,
    random: Random,
    web: Pick<Web, "page">,
    chances: Chances,
    options: FrontierOptions = defaultFrontierOptions,
  ) {
    this.#random = random;
    this.#web = web;
    this.#chances = chances;
    this.#lateJobMs = options.lateJobMs;
    this.tasks = Array.from(
      { length: tasks },
      (_, task) =>
        new StepDriver({
          step: frontierStep(options),
          task,
          tasks,
          partitionOf: (key) => partitionOf(key, tasks),
          keepHistory: false,
          tables: { [topics.jobs.name]: [], [topics.policies.name]: [] },
        }),
    );
  }

  /** Writes a job's record; every task sees it some time later. */
  submit(job: Job): void {
    for (let task = 0; task < this.tasks.length; task += 1)
      this.#tables.push({ task, job, writtenAtMs: this.#driver(task).nowMs });
  }

  /** Removes a job's record; some tasks do not run then, and see only what comes after it. */
  remove(job: Job): void {
    for (let task = 0; task < this.tasks.length; task += 1)
      if (this.#random.chance(0.7))
        this.#tables.push({ task, job, removed: true, writtenAtMs: this.#driver(task).nowMs });
  }

  /** Sets a policy or takes it back; every task sees it some time later. */
  policy(pattern: string, policy: Policy | undefined): void {
    for (let task = 0; task < this.tasks.length; task += 1)
      this.#tables.push({ task, pattern, policy, writtenAtMs: this.#driver(task).nowMs });
  }

  /** All tasks have read all policies. */
  get knowsPolicies(): boolean {
    return !this.#tables.some((change) => "pattern" in change);
  }

  /** All tasks have read all tables, and their clocks have come so much further. */
  rest(elapsedMs: number): void {
    while (this.#readTable(0));
    for (const driver of this.tasks) driver.advance(elapsedMs);
  }

  /** A seed from outside, with any key. */
  seed(url: string, job: string): void {
    const partition = this.#random.below(this.tasks.length);
    this.#append(topics.seeds.name, partition, "", { url, job });
  }

  get terminal(): readonly CrawlEvent[] {
    return this.events.filter(
      ({ type }) => type === "job_completed" || type === "job_failed" || type === "job_timeout",
    );
  }

  /** All that was written to the topic under each key, in order: of a compacted one a reader finds the last at least. */
  writtenTo(topic: string): ReadonlyMap<string, readonly unknown[]> {
    const values = new Map<string, unknown[]>();
    for (const log of this.#logs.values()) {
      if (log.topic !== topic) continue;
      for (const { key, value } of log.records) values.set(key, [...(values.get(key) ?? []), value]);
    }
    return values;
  }

  /** One random thing happens. False where nothing is left but to wait for a clock. */
  step(): boolean {
    this.steps += 1;
    const random = this.#random;
    const chances = this.#chances;
    if (random.chance(chances.crash)) return this.#restart(false);
    if (random.chance(chances.restart)) return this.#restart(true);
    if (random.chance(chances.hold)) return this.#toggleHold();
    if (random.chance(chances.commit)) return this.#commit(random.below(this.tasks.length));
    const choices = this.#tables.length + this.out.size + this.#open.length * 3;
    if (choices === 0) return this.#commitAll();
    const choice = random.below(choices);
    if (choice < this.#tables.length) return this.#readTable(choice);
    if (choice < this.#tables.length + this.out.size) return this.#answer();
    return this.#read(random.pick(this.#open));
  }

  /** Lets all clocks reach the next wake, before which all tables are read that would be too late; false where there is none. */
  wait(): boolean {
    let nextMs = Infinity;
    for (const driver of this.tasks) nextMs = Math.min(nextMs, driver.nextWakeMs() ?? Infinity);
    if (nextMs === Infinity) return false;
    // A table that is later than that is no part of the promise.
    while (nextMs - (this.#tables[0]?.writtenAtMs ?? nextMs) >= this.#lateJobMs) this.#readTable(0);
    for (const driver of this.tasks) driver.advance(Math.max(0, nextMs - driver.nowMs));
    return true;
  }

  /** Nothing happens by itself: holds are lifted and the clocks move on. */
  settleAndWait(): void {
    this.#releaseHolds();
    this.wait();
  }

  #releaseHolds(): void {
    for (const driver of this.tasks)
      if (driver.tables["flow"]?.size === 1) driver.table("flow", "release", undefined);
  }

  #restart(clean: boolean): boolean {
    const task = this.#random.below(this.tasks.length);
    if (clean) this.#commit(task);
    this.#driver(task).restartFromCommit();
    return true;
  }

  #toggleHold(): boolean {
    const driver = this.#driver(this.#random.below(this.tasks.length));
    driver.table("flow", "release", driver.tables["flow"]?.size === 1 ? undefined : { group: "sink" });
    return true;
  }

  #readTable(index: number): boolean {
    const picked = this.#tables[index];
    if (picked === undefined) return false;
    if ("pattern" in picked) return this.#readPolicy(picked.task);
    const [change] = this.#tables.splice(index, 1);
    if (change === undefined || "pattern" in change) return false;
    const known = this.#driver(change.task).tables[topics.jobs.name]?.get(change.job.id) as Job | undefined;
    // Changes of one job are read in order: an older one was overtaken only by the random pick.
    if (known !== undefined && known.submittedAtMs > change.job.submittedAtMs) return true;
    const job = change.removed === true ? undefined : change.job;
    this.#driver(change.task).table(topics.jobs.name, change.job.id, job);
    return true;
  }

  /** Policies are read in the order in which they were written. */
  #readPolicy(task: number): boolean {
    const first = this.#tables.findIndex((each) => "pattern" in each && each.task === task);
    const [change] = this.#tables.splice(first, 1);
    if (change !== undefined && "pattern" in change)
      this.#driver(task).table(topics.policies.name, change.pattern, change.policy);
    return true;
  }

  #read(log: Log): boolean {
    const record = log.records[log.read];
    if (record === undefined) throw new Error("an empty log was picked");
    const offset = log.read;
    log.read += 1;
    if (log.read === log.records.length) this.#open.splice(this.#open.indexOf(log), 1);
    // The runtime finishes a tombstone by itself.
    if (record.value === null) return true;
    const driver = this.#driver(log.partition);
    driver.pipe({
      id: `${log.topic}/${log.partition}/${offset}`,
      topic: log.topic,
      partition: log.partition,
      offset,
      key: record.key,
      value: record.value,
      headers: {},
      timestampMs: driver.nowMs,
    } as FrontierRecord);
    return true;
  }

  #commitAll(): boolean {
    let wrote = false;
    for (let task = 0; task < this.tasks.length; task += 1) wrote = this.#commit(task) || wrote;
    return wrote && (this.#open.length > 0 || this.out.size > 0);
  }

  #commit(task: number): boolean {
    const driver = this.#driver(task);
    const written = driver.commit();
    this.rejected.push(...driver.rejected.splice(0).map(({ reason }) => reason));
    for (const record of written) this.#written(record);
    return written.length > 0;
  }

  #written({ topic, key, value, partition }: SentRecord): void {
    if (topic === topics.due.name) {
      const due = value as Due;
      if (this.terminal.length > 0) this.lateDue += 1;
      if (this.out.has(due.releaseId)) throw new Error(`${due.releaseId} was released twice`);
      this.due.push(due);
      this.out.set(due.releaseId, due);
      let now = 0;
      for (const other of this.out.values()) if (other.url.split("/")[2] === due.url.split("/")[2]) now += 1;
      this.outMost.set(key, Math.max(this.outMost.get(key) ?? 0, now));
      return;
    }
    if (topic === topics.events.name) {
      const event = value as CrawlEvent;
      if (event.type !== "progress" && event.type !== "time_update") this.events.push(event);
      return;
    }
    this.#append(topic, partition ?? partitionOf(key, this.tasks.length), key, value);
  }

  #append(topic: string, partition: number, key: string, value: unknown): void {
    const name = `${topic}/${partition}`;
    let log = this.#logs.get(name);
    if (log === undefined) {
      log = { topic, partition, records: [], read: 0 };
      this.#logs.set(name, log);
    }
    if (log.read === log.records.length) this.#open.push(log);
    log.records.push({ key, value });
  }

  /** The world answers a release: by a detour, or with what will become of the page. */
  #answer(): boolean {
    const random = this.#random;
    const due = [...this.out.values()][random.below(this.out.size)];
    if (due === undefined) return false;
    this.out.delete(due.releaseId);
    const page = this.#web.page(due.url);
    const nowMs = this.#driver(0).nowMs;
    const base = answerTo(due, { ok: false, endedAtMs: nowMs, latencyMs: 1 });
    if (random.chance(this.#chances.detour)) {
      const kind = random.pick(["retry", "deferred", "expired"] as const);
      const dueAtMs = kind === "expired" || random.chance(0.3) ? null : nowMs + random.below(20_000);
      this.#appendOutcome(page.domain, { ...base, kind, category: kind, dueAtMs });
      return true;
    }
    if (page.fate === "refused") {
      this.#appendOutcome(page.domain, { ...base, kind: "refused", category: "robots" });
      return true;
    }
    this.results.push(due.url);
    // What fails in a job's first run is there in later ones.
    if (page.fate === "failed" && due.run === 1) {
      this.#appendOutcome(page.domain, { ...base, kind: "settled", category: "http_4xx" });
      return true;
    }
    const redirect = page.fate === "redirect";
    const found = {
      job: due.job,
      run: due.run,
      kind: redirect ? ("redirect" as const) : ("link" as const),
      parent: due.urlId,
      depth: redirect ? due.depth : due.depth + 1,
      root: due.root,
      redirects: redirect ? 1 : 0,
    };
    const { maxDepth } = this.#jobOf(due).limits;
    let linkRecords = 0;
    const send = (domain: string, link: Link): void => {
      linkRecords += 1;
      this.#append(topics.links.name, partitionOf(domain, this.tasks.length), domain, link);
    };
    // As the fetcher does it: what is too deep goes nowhere, but for what is kept beside the page itself.
    if (maxDepth !== null && due.depth > 0 && page.links.length > 0)
      send(page.domain, { ...found, kind: "outlinks", depth: due.depth, urls: [...page.links] });
    const links = maxDepth !== null && found.depth > maxDepth ? [] : page.links;
    const byDomain = new Map<string, string[]>();
    for (const url of links) {
      const { domain } = this.#web.page(url);
      byDomain.set(domain, [...(byDomain.get(domain) ?? []), url]);
    }
    const about = { url: due.url, host: hostOf(due.url), root: due.root === null ? null : hostOf(due.root) };
    const targets = links.map((url) => ({ url, domain: hostOf(url) }));
    const kinOf = redirect ? () => null : kinshipOf(about, targets);
    const suspicion = suspicionOf(due.url);
    let strays = false;
    for (const [domain, urls] of byDomain) {
      const kin = kinOf(hostOf(urls[0] ?? ""));
      strays ||= kin === "stray";
      const look = suspicion === null || domain !== page.domain ? {} : { suspicion };
      send(domain, { ...found, ...look, ...(kin === null ? {} : { kin }), urls });
    }
    this.#appendOutcome(page.domain, {
      ...base,
      kind: "settled",
      ok: true,
      category: page.fate === "failed" ? "ok" : page.fate,
      linkRecords,
      ...(strays ? { strays: true as const } : {}),
    });
    return true;
  }

  /** The record as the newest of the tasks has it. */
  #jobOf(due: Due): Job {
    for (const { tables } of this.tasks) {
      const job = tables[topics.jobs.name]?.get(due.job) as Job | undefined;
      if (job !== undefined) return job;
    }
    throw new Error(`${due.job} was released and is in no table`);
  }

  #appendOutcome(domain: string, outcome: Outcome): void {
    this.#append(topics.outcomes.name, partitionOf(domain, this.tasks.length), domain, outcome);
  }

  #driver(task: number): Driver {
    const driver = this.tasks[task];
    if (driver === undefined) throw new Error(`no task ${task}`);
    return driver;
  }
}
