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
  readonly #byDepth: (Fifo | undefined)[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(urlId: string, depth: number): void {
    let fifo = this.#byDepth[depth];
    if (fifo === undefined) {
      fifo = new Fifo();
      this.#byDepth[depth] = fifo;
    }
    fifo.push(urlId);
    this.#size += 1;
  }

  shift(): string | undefined {
    for (const fifo of this.#byDepth) {
      const urlId = fifo?.shift();
      if (urlId === undefined) continue;
      this.#size -= 1;
      return urlId;
    }
    return undefined;
  }
}

/** One domain: what waits, by job, and the window of what is out. */
export class HostQueue {
  readonly domain: string;
  readonly window: CreditWindow;
  /** Jobs take turns, in this order. */
  readonly #jobs = new Map<string, DepthQueue>();
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

  push(job: string, urlId: string, depth: number): void {
    let queue = this.#jobs.get(job);
    if (queue === undefined) {
      queue = new DepthQueue();
      this.#jobs.set(job, queue);
    }
    queue.push(urlId, depth);
  }

  /** Forgets what a job has waiting here. */
  drop(job: string): void {
    this.#jobs.delete(job);
  }

  /** The next URL id of the job whose turn it is, among jobs that may release; null where none has one. */
  next(mayRelease: (job: string) => boolean): { readonly job: string; readonly urlId: string } | null {
    for (const [job, queue] of this.#jobs) {
      if (!mayRelease(job)) continue;
      const urlId = queue.shift();
      // To the end of the turn order, or out of it.
      this.#jobs.delete(job);
      if (queue.size > 0) this.#jobs.set(job, queue);
      if (urlId !== undefined) return { job, urlId };
    }
    return null;
  }

  resize(windowHigh: number): void {
    if (windowHigh === this.#windowHigh) return;
    this.#windowHigh = windowHigh;
    this.window.resize(windowHigh);
  }
}
