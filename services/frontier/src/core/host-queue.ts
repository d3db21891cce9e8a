import { CreditWindow, type DemandTotal } from "@sluice/runtime";
import { FairTurns, type Served } from "./fair-turns.ts";
import type { OpenEntry } from "./entry.ts";

/** A URL that waits, with the key it is stored under. */
export interface Queued {
  readonly key: string;
  readonly entry: OpenEntry;
}

/** Reads what is stored. */
export interface QueueReader {
  /** The first URLs of the queue of a job on a domain, in order, beyond a key. */
  first(prefix: string, limit: number, after: string | undefined): readonly Queued[];
  /** One of them. */
  get(key: string): OpenEntry;
}

/** Which of a job's URLs may be released: those that hold a page grant need no other. */
export type Releasable = "any" | "granted" | "none";

/** URLs of one queue in its head: what one turn of its domain releases. */
const headMax = 8;

/** How many keys the heads of a task's queues may hold together; beyond, a head goes with the turn it was read for. */
export class HeadBudget {
  readonly max: number;
  held = 0;

  constructor(max: number) {
    this.max = max;
  }

  get isSpent(): boolean {
    return this.held >= this.max;
  }
}

/**
 * What one job has waiting on one domain: how much, and its head. All of it is stored; the head holds the keys of the
 * first of it, without a gap, or nothing. What a turn has read with the keys goes with the turn: a URL has ten times
 * the memory of its key.
 */
export class JobQueue {
  /** Released before, with a page grant that is still theirs. */
  granted = 0;
  fresh = 0;
  /** Its turns among the jobs of the domain. */
  readonly served: Served = { endsAt: 0 };
  readonly #prefix: string;
  readonly #budget: HeadBudget;
  #head: string[] = [];
  /** What was read in this turn of the first ones of the head, or of none. */
  #entries: OpenEntry[] = [];
  /** Nothing waits up to this key; undefined where that is not known. */
  #after: string | undefined;

  constructor(prefix: string, budget: HeadBudget) {
    this.#prefix = prefix;
    this.#budget = budget;
  }

  get size(): number {
    return this.granted + this.fresh;
  }

  push({ key, entry }: Queued): void {
    const last = this.#head.at(-1);
    const isWhole = this.#head.length === this.size;
    this.restore(entry.granted);
    if (last !== undefined && key < last) {
      const at = this.#head.findIndex((each) => key < each);
      this.#head.splice(at, 0, key);
      this.#entries = [];
      this.#budget.held += 1;
      if (this.#head.length > headMax) this.#pop();
    } else if (isWhole && this.#head.length < headMax && !this.#budget.isSpent) {
      this.#head.push(key);
      this.#budget.held += 1;
    } else if (this.#after !== undefined && key < this.#after) this.#after = undefined;
  }

  /** One that is stored already. */
  restore(granted: boolean): void {
    if (granted) this.granted += 1;
    else this.fresh += 1;
  }

  /** It waits no more. */
  remove(key: string, granted: boolean): void {
    const at = this.#head.indexOf(key);
    if (at >= 0) {
      this.#head.splice(at, 1);
      this.#entries = [];
      this.#budget.held -= 1;
    }
    this.#count(granted);
  }

  shift(releasable: Releasable, read: QueueReader): Queued | undefined {
    if (this.size === 0 || releasable === "none") return undefined;
    if (releasable === "granted" && this.granted === 0) return undefined;
    if (this.#head.length === 0) {
      const found = read.first(this.#prefix, this.#budget.isSpent ? 1 : headMax, this.#after);
      this.#head = found.map(({ key }) => key);
      this.#entries = found.map(({ entry }) => entry);
      this.#budget.held += found.length;
    }
    const key = this.#head.shift();
    if (key === undefined)
      throw new Error(`${this.size} URLs wait under ${this.#prefix}, and none is stored`);
    const entry = this.#entries.shift() ?? read.get(key);
    this.#budget.held -= 1;
    this.#after = key;
    this.#count(entry.granted);
    return { key, entry };
  }

  /** The turn is over: of the head only its keys are kept, or nothing. */
  endTurn(): void {
    this.#entries = [];
    if (this.#budget.isSpent) this.dropHead();
  }

  /** Forgets the head; what waits is still stored. */
  dropHead(): void {
    this.#budget.held -= this.#head.length;
    this.#head = [];
    this.#entries = [];
    this.#after = undefined;
  }

  #pop(): void {
    this.#head.pop();
    this.#budget.held -= 1;
  }

  #count(granted: boolean): void {
    if (granted) this.granted -= 1;
    else this.fresh -= 1;
  }
}

/** One domain: what waits, by job, and the window of what is out. */
export class HostQueue {
  readonly domain: string;
  readonly window: CreditWindow;
  readonly #heads: HeadBudget;
  readonly #turns = new FairTurns();
  readonly #jobs = new Map<string, JobQueue>();
  /** Crawl-delay of robots.txt, as the last outcome told it; null where none did. */
  crawlDelayMs: number | null = null;
  #windowHigh: number;

  constructor(domain: string, windowHigh: number, total: DemandTotal, heads: HeadBudget) {
    this.domain = domain;
    this.window = new CreditWindow({ high: windowHigh, total });
    this.#windowHigh = windowHigh;
    this.#heads = heads;
  }

  get waiting(): number {
    let sum = 0;
    for (const queue of this.#jobs.values()) sum += queue.size;
    return sum;
  }

  /** Nothing waits and nothing is out. */
  get idle(): boolean {
    return this.#jobs.size === 0 && this.window.outstanding === 0;
  }

  /** Jobs with something waiting here. */
  jobs(): Iterable<string> {
    return this.#jobs.keys();
  }

  /** Tells what waits here by job, with and without a page grant; for gauges, which look at every domain. */
  eachSize(tell: (job: string, granted: number, fresh: number) => void): void {
    for (const [job, queue] of this.#jobs) tell(job, queue.granted, queue.fresh);
  }

  /** URLs of the job here that hold no page grant and no units. */
  freshOf(job: string): number {
    return this.#jobs.get(job)?.fresh ?? 0;
  }

  has(job: string): boolean {
    return this.#jobs.has(job);
  }

  push(job: string, prefix: string, queued: Queued): void {
    this.#queue(job, prefix).push(queued);
  }

  /** One that is stored and waits. */
  restore(job: string, prefix: string, granted: boolean): void {
    this.#queue(job, prefix).restore(granted);
  }

  /** One that waits no more here. */
  remove(job: string, { key, entry }: Queued): void {
    const queue = this.#jobs.get(job);
    if (queue === undefined) throw new Error(`${job} has nothing waiting on ${this.domain}`);
    queue.remove(key, entry.granted);
    if (queue.size === 0) this.#jobs.delete(job);
  }

  /** Forgets what a job has waiting here. */
  drop(job: string): void {
    this.#jobs.get(job)?.dropHead();
    this.#jobs.delete(job);
  }

  /** The next URL of the job whose turn it is, among jobs that may release; null where none has one. */
  next(
    releasable: (job: string) => Releasable,
    weight: (job: string) => number,
    read: QueueReader,
  ): (Queued & { readonly job: string }) | null {
    for (const [job, queue] of this.#inTurn()) {
      const found = queue.shift(releasable(job), read);
      if (found === undefined) continue;
      this.#turns.serve(queue.served, weight(job));
      if (queue.size === 0) this.#jobs.delete(job);
      return { job, ...found };
    }
    return null;
  }

  /** As they were first come, where their turns begin together. */
  #inTurn(): Iterable<[string, JobQueue]> {
    if (this.#jobs.size === 1) return this.#jobs;
    const begin = ([, { served }]: [string, JobQueue]): number => this.#turns.beginOf(served);
    return [...this.#jobs].sort((a, b) => begin(a) - begin(b));
  }

  /** The domain's turn is over. */
  endTurn(): void {
    for (const queue of this.#jobs.values()) queue.endTurn();
  }

  resize(windowHigh: number): void {
    if (windowHigh === this.#windowHigh) return;
    this.#windowHigh = windowHigh;
    this.window.resize(windowHigh);
  }

  #queue(job: string, prefix: string): JobQueue {
    let queue = this.#jobs.get(job);
    if (queue === undefined) {
      queue = new JobQueue(prefix, this.#heads);
      this.#jobs.set(job, queue);
    }
    return queue;
  }
}
