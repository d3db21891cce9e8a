import { CreditWindow, type DemandTotal } from "@sluice/runtime";

/** First in, first out, without moving what is left. */
class Fifo {
  #items: string[] = [];
  #head = 0;

  get size(): number {
    return this.#items.length - this.#head;
  }

  push(item: string): void {
    this.#items.push(item);
  }

  shift(): string | undefined {
    const item = this.#items[this.#head];
    if (item === undefined) return undefined;
    this.#head += 1;
    if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }
}

/** Waiting URL ids of one job on one domain, shallow ones first, in order of admission within a depth. */
export class DepthQueue {
  #byDepth = new Map<number, Fifo>();
  /** Nothing waits at a depth below this one. */
  #lowest = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(urlId: string, depth: number): void {
    let fifo = this.#byDepth.get(depth);
    if (fifo === undefined) {
      fifo = new Fifo();
      this.#byDepth.set(depth, fifo);
    }
    fifo.push(urlId);
    this.#lowest = this.#size === 0 ? depth : Math.min(this.#lowest, depth);
    this.#size += 1;
  }

  shift(): string | undefined {
    if (this.#size === 0) return undefined;
    const fifo = this.#byDepth.get(this.#lowest);
    const urlId = fifo?.shift();
    if (urlId === undefined) throw new Error(`nothing waits at depth ${this.#lowest}`);
    this.#size -= 1;
    if (fifo?.size === 0) {
      this.#byDepth.delete(this.#lowest);
      // Few depths are occupied at once, however deep they lie.
      this.#lowest = this.#size === 0 ? 0 : Math.min(...this.#byDepth.keys());
    }
    return urlId;
  }
}

/** Which of a job's URLs may be released: those that hold a page grant need no other. */
export type Releasable = "any" | "granted" | "none";

/** What one job has waiting on one domain. */
class JobQueue {
  /** Released before, with a page grant that is still theirs. */
  readonly granted = new Fifo();
  readonly fresh = new DepthQueue();

  get size(): number {
    return this.granted.size + this.fresh.size;
  }

  shift(releasable: Releasable): string | undefined {
    if (releasable === "none") return undefined;
    return this.granted.shift() ?? (releasable === "any" ? this.fresh.shift() : undefined);
  }
}

/** One domain: what waits, by job, and the window of what is out. */
export class HostQueue {
  readonly domain: string;
  readonly window: CreditWindow;
  /** Jobs take turns, in this order. */
  readonly #jobs = new Map<string, JobQueue>();
  /** Crawl-delay of robots.txt, as the last outcome told it; null where none did. */
  crawlDelayMs: number | null = null;
  #windowHigh: number;

  constructor(domain: string, windowHigh: number, total: DemandTotal) {
    this.domain = domain;
    this.window = new CreditWindow({ high: windowHigh, total });
    this.#windowHigh = windowHigh;
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
    for (const [job, queue] of this.#jobs) tell(job, queue.granted.size, queue.fresh.size);
  }

  has(job: string): boolean {
    return this.#jobs.has(job);
  }

  push(job: string, urlId: string, depth: number, granted: boolean): void {
    let queue = this.#jobs.get(job);
    if (queue === undefined) {
      queue = new JobQueue();
      this.#jobs.set(job, queue);
    }
    if (granted) queue.granted.push(urlId);
    else queue.fresh.push(urlId, depth);
  }

  /** Forgets what a job has waiting here. */
  drop(job: string): void {
    this.#jobs.delete(job);
  }

  /** The next URL id of the job whose turn it is, among jobs that may release; null where none has one. */
  next(releasable: (job: string) => Releasable): { readonly job: string; readonly urlId: string } | null {
    for (const [job, queue] of this.#jobs) {
      const urlId = queue.shift(releasable(job));
      if (urlId === undefined) continue;
      // To the end of the turn order, or out of it.
      this.#jobs.delete(job);
      if (queue.size > 0) this.#jobs.set(job, queue);
      return { job, urlId };
    }
    return null;
  }

  resize(windowHigh: number): void {
    if (windowHigh === this.#windowHigh) return;
    this.#windowHigh = windowHigh;
    this.window.resize(windowHigh);
  }
}
