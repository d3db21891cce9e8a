/** The only source of time in a simulation, and a clock that stands still until it is told to move. */

export type CancelTimer = () => void;

export interface SimClock {
  /** Epoch milliseconds. */
  nowMs(): number;
  /** Calls `fire` once when the clock reaches `atMs`; a time that has passed means as soon as possible. */
  setTimer(atMs: number, fire: () => void): CancelTimer;
}

interface Timer {
  readonly atMs: number;
  readonly order: number;
  readonly fire: () => void;
  cancelled: boolean;
}

// Taken once, so that a test runner's fake timers can't stop the drain between two simulated timers.
const nextMacrotask = setImmediate;

/** Fires timers by time, equal times in the order they were set; microtasks run dry between any two. */
export class FakeClock implements SimClock {
  #nowMs: number;
  #order = 0;
  readonly #heap: Timer[] = [];

  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.#nowMs = startMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  setTimer(atMs: number, fire: () => void): CancelTimer {
    const timer: Timer = { atMs: Math.max(atMs, this.#nowMs), order: this.#order++, fire, cancelled: false };
    this.#push(timer);
    return () => {
      timer.cancelled = true;
    };
  }

  /** Lets `ms` pass and fires all that falls due, timers set on the way included. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    await this.#run(untilMs, () => false);
    this.#nowMs = Math.max(this.#nowMs, untilMs);
  }

  /**
   * Runs until no timer is left: true. False where timers are left after `limitMs`, as is usual while
   * anything beats its heart; the clock then stands at the limit.
   */
  async runUntilIdle(limitMs: number): Promise<boolean> {
    const untilMs = this.#nowMs + limitMs;
    await this.#run(untilMs, () => false);
    if (this.#next() === undefined) return true;
    this.#nowMs = untilMs;
    return false;
  }

  /** Runs until the condition holds after some timer: true. False where it does not within `limitMs`. */
  async runUntil(condition: () => boolean, limitMs: number): Promise<boolean> {
    const untilMs = this.#nowMs + limitMs;
    if (await this.#run(untilMs, condition)) return true;
    this.#nowMs = Math.max(this.#nowMs, untilMs);
    return condition();
  }

  /** Runs until the promise settles and gives its outcome. Throws where it does not within `limitMs`. */
  async settle<T>(promise: Promise<T>, limitMs = 600_000): Promise<T> {
    let settled = false;
    const settle = () => {
      settled = true;
    };
    promise.then(settle, settle);
    if (!(await this.runUntil(() => settled, limitMs))) {
      throw new Error(`not settled within ${limitMs} simulated milliseconds`);
    }
    return await promise;
  }

  /**
   * Runs by itself, as fast as the machine allows, until the returned function is called. For tests that
   * await promises of the simulation; while no timer is set the clock waits.
   */
  drive(): () => Promise<void> {
    const driving = { isOn: true };
    const driven = (async () => {
      while (driving.isOn) {
        const next = this.#next();
        if (next === undefined) await drainMicrotasks();
        else await this.#run(next.atMs, () => !driving.isOn);
      }
    })();
    return async () => {
      driving.isOn = false;
      await driven;
    };
  }

  /** Timers set and neither fired nor cancelled. */
  get pending(): number {
    return this.#heap.filter((timer) => !timer.cancelled).length;
  }

  async #run(untilMs: number, condition: () => boolean): Promise<boolean> {
    await drainMicrotasks();
    while (!condition()) {
      const timer = this.#next();
      if (timer === undefined || timer.atMs > untilMs) return false;
      this.#pop();
      this.#nowMs = Math.max(this.#nowMs, timer.atMs);
      timer.fire();
      await drainMicrotasks();
    }
    return true;
  }

  #next(): Timer | undefined {
    while (this.#heap[0]?.cancelled === true) this.#pop();
    return this.#heap[0];
  }

  #push(timer: Timer): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(timer);
    while (at > 0) {
      const up = (at - 1) >> 1;
      const parent = heap[up];
      if (parent === undefined || !isBefore(timer, parent)) break;
      heap[at] = parent;
      at = up;
    }
    heap[at] = timer;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let down = 2 * at + 1;
      const left = heap[down];
      const right = heap[down + 1];
      if (left === undefined) break;
      if (right !== undefined && isBefore(right, left)) down++;
      const child = heap[down];
      if (child === undefined || !isBefore(child, last)) break;
      heap[at] = child;
      at = down;
    }
    heap[at] = last;
  }
}

function isBefore(a: Timer, b: Timer): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

/**
 * A macrotask begins only when the microtask queue is empty, however deep the chains of promises are. Several are ordered at
 * once, for a turn of the whole event loop costs more than most of what happens between two timers.
 */
function drainMicrotasks(): Promise<void> {
  return new Promise((resolve) => {
    waiting.push(resolve);
    if (ordered === 0) for (; ordered < orderedMax; ordered += 1) nextMacrotask(wakeWaiting);
  });
}

const orderedMax = 32;
let ordered = 0;
let waiting: (() => void)[] = [];

function wakeWaiting(): void {
  ordered -= 1;
  const woken = waiting;
  waiting = [];
  for (const wake of woken) wake();
}
