/** A call that a step asked for. */
export interface QueuedCall<Request> {
  readonly task: number;
  readonly epoch: number;
  readonly lane: string;
  readonly callId: string;
  readonly request: Request;
  readonly controller: AbortController;
}

/** Calls that have run for long do little but wait: so many of them need no slot. */
export interface SlowCalls {
  readonly afterMs: number;
  readonly max: number;
}

/**
 * Calls wait here for a slot. No more than `slots` run at once in the process, whatever the number of
 * tasks and domains; the queue itself is bounded by what the tasks hold unfinished. One that has run for
 * `slow.afterMs` gives its slot back as long as fewer than `slow.max` have: hosts that answer late, or never,
 * then can't take every slot from those that answer.
 */
export class CallQueue<Request> {
  #waiting: QueuedCall<Request>[] = [];
  /** Those before it have begun: shifting a long array would move all of it each time. */
  #head = 0;
  /** Those with a slot, the one that has run longest first. */
  readonly #quick = new Map<string, { readonly call: QueuedCall<Request>; readonly slowAtMs: number }>();
  readonly #slow = new Map<string, QueuedCall<Request>>();
  readonly #slots: number;
  readonly #slowCalls: SlowCalls;

  constructor(slots: number, slow: SlowCalls = { afterMs: Infinity, max: 0 }) {
    this.#slots = slots;
    this.#slowCalls = slow;
  }

  get running(): number {
    return this.#quick.size + this.#slow.size;
  }

  /** Those of them that have given their slots back. */
  get slow(): number {
    return this.#slow.size;
  }

  get waiting(): number {
    return this.#waiting.length - this.#head;
  }

  push(call: QueuedCall<Request>): void {
    this.#waiting.push(call);
  }

  /** When a slot will be given back by time alone; null where none is waited for, or none can be. */
  get freeAtMs(): number | null {
    if (this.waiting === 0 || this.#quick.size < this.#slots || this.#slow.size >= this.#slowCalls.max)
      return null;
    for (const { slowAtMs } of this.#quick.values()) return slowAtMs;
    return null;
  }

  /** The next call to begin, or null: no slot is free or nothing waits. `nowMs` never goes back. */
  begin(nowMs: number): QueuedCall<Request> | null {
    if (this.#quick.size >= this.#slots) this.#giveSlotsBack(nowMs);
    if (this.#quick.size >= this.#slots) return null;
    const call = this.#waiting[this.#head];
    if (call === undefined) return null;
    this.#head += 1;
    if (this.#head >= 64 && this.#head * 2 >= this.#waiting.length) this.#compact();
    this.#quick.set(keyOf(call), { call, slowAtMs: nowMs + this.#slowCalls.afterMs });
    return call;
  }

  /** The call has settled. */
  end(call: QueuedCall<Request>): void {
    const key = keyOf(call);
    this.#quick.delete(key);
    this.#slow.delete(key);
  }

  /** Aborts one call; one that had not begun is taken out and returned, since nobody will settle it. */
  abort(task: number, epoch: number, callId: string): QueuedCall<Request> | null {
    this.#compact();
    const index = this.#waiting.findIndex(
      (call) => call.callId === callId && call.task === task && call.epoch === epoch,
    );
    if (index >= 0) return this.#waiting.splice(index, 1)[0] ?? null;
    const key = `${task}/${epoch}/${callId}`;
    (this.#quick.get(key)?.call ?? this.#slow.get(key))?.controller.abort();
    return null;
  }

  /** Aborts all calls of a task that is gone; those not begun are forgotten. Returns how many ran. */
  abortTask(task: number, epoch: number): number {
    this.#compact();
    this.#waiting = this.#waiting.filter((call) => call.task !== task || call.epoch !== epoch);
    let aborted = 0;
    for (const call of this.#all()) {
      if (call.task !== task || call.epoch !== epoch) continue;
      call.controller.abort();
      aborted += 1;
    }
    return aborted;
  }

  abortAll(): void {
    this.#waiting = [];
    this.#head = 0;
    for (const call of this.#all()) call.controller.abort();
  }

  *#all(): Iterable<QueuedCall<Request>> {
    for (const { call } of this.#quick.values()) yield call;
    yield* this.#slow.values();
  }

  #giveSlotsBack(nowMs: number): void {
    for (const [key, { call, slowAtMs }] of this.#quick) {
      if (slowAtMs > nowMs || this.#slow.size >= this.#slowCalls.max) return;
      this.#quick.delete(key);
      this.#slow.set(key, call);
    }
  }

  #compact(): void {
    if (this.#head === 0) return;
    this.#waiting = this.#waiting.slice(this.#head);
    this.#head = 0;
  }
}

const keyOf = (call: QueuedCall<unknown>): string => `${call.task}/${call.epoch}/${call.callId}`;
