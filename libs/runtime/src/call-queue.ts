import type { Promptness } from "@sluice/topology";
import { CallLine } from "./call-line.ts";

/** A call that a step asked for. */
export interface QueuedCall<Request> {
  readonly task: number;
  readonly epoch: number;
  readonly lane: string;
  readonly callId: string;
  readonly request: Request;
  readonly promptness: Promptness;
  readonly controller: AbortController;
}

/** Calls that have run for long do little but wait: so many of them need no slot. */
export interface SlowCalls {
  /** How long a call of a lane that is known as prompt keeps its slot. */
  readonly afterMs: number;
  /** The same where nothing is known of the lane. */
  readonly unknownAfterMs: number;
  readonly max: number;
}

/** With a slot; the first that begins is the first that gives it back. */
type Begun<Request> = Map<string, { readonly call: QueuedCall<Request>; readonly slowAtMs: number }>;

/**
 * Calls wait here for a slot. No more than `slots` run at once in the process, whatever the number of
 * tasks and domains; the queue itself is bounded by what the tasks hold unfinished. One that has run for
 * long gives its slot back as long as fewer than `slow.max` have. Three lines wait, so that hosts that answer
 * late, or never, don't stand in the way of those that answer:
 *
 * - prompt lanes and unknown ones take turns at the slots, and an unknown one gives its slot back sooner. Once no
 *   slot can be given back any more, unknown ones get half of the slots at most;
 * - lanes known as slow take no slot: they begin while fewer than `slow.max` run without one.
 */
export class CallQueue<Request> {
  readonly #lines: Readonly<Record<Promptness, CallLine<Request>>> = {
    prompt: new CallLine(),
    unknown: new CallLine(),
    slow: new CallLine(),
  };
  readonly #prompt: Begun<Request> = new Map();
  readonly #unknown: Begun<Request> = new Map();
  readonly #slow = new Map<string, QueuedCall<Request>>();
  readonly #slots: number;
  readonly #slowCalls: SlowCalls;
  #promptsTurn = false;

  constructor(slots: number, slow: SlowCalls = { afterMs: Infinity, unknownAfterMs: Infinity, max: 0 }) {
    this.#slots = slots;
    this.#slowCalls = slow;
  }

  get running(): number {
    return this.#held + this.#slow.size;
  }

  /** Those of them without a slot. */
  get slow(): number {
    return this.#slow.size;
  }

  get waiting(): number {
    const { prompt, unknown, slow } = this.#lines;
    return prompt.length + unknown.length + slow.length;
  }

  push(call: QueuedCall<Request>): void {
    // Where none runs without a slot, nobody is asked to wait for that.
    this.#lines[this.#slowCalls.max === 0 ? "unknown" : call.promptness].push(call);
  }

  /** When a slot will be given back by time alone; null where none is waited for, or none can be. */
  get freeAtMs(): number | null {
    const waits = this.#lines.prompt.length + this.#lines.unknown.length > 0;
    if (!waits || this.#held < this.#slots || this.#isFull) return null;
    const atMs = Math.min(firstOf(this.#prompt), firstOf(this.#unknown));
    return atMs === Infinity ? null : atMs;
  }

  /** The next call to begin, or null: no slot is free or nothing waits. `nowMs` never goes back. */
  begin(nowMs: number): QueuedCall<Request> | null {
    const late = this.#isFull ? undefined : this.#lines.slow.shift();
    if (late !== undefined) {
      this.#slow.set(keyOf(late), late);
      return late;
    }
    if (this.#held >= this.#slots) {
      this.#giveSlotsBack(this.#unknown, nowMs);
      this.#giveSlotsBack(this.#prompt, nowMs);
    }
    if (this.#held >= this.#slots) return null;
    const { prompt, unknown } = this.#lines;
    const unknownMay = unknown.length > 0 && !this.#isUnknownHeld;
    const isPrompt = prompt.length > 0 && (this.#promptsTurn || !unknownMay);
    if (!isPrompt && !unknownMay) return null;
    const call = (isPrompt ? prompt : unknown).shift();
    if (call === undefined) return null;
    this.#promptsTurn = !isPrompt;
    const { afterMs, unknownAfterMs } = this.#slowCalls;
    if (isPrompt) this.#prompt.set(keyOf(call), { call, slowAtMs: nowMs + afterMs });
    else this.#unknown.set(keyOf(call), { call, slowAtMs: nowMs + unknownAfterMs });
    return call;
  }

  /** The call has settled. */
  end(call: QueuedCall<Request>): void {
    const key = keyOf(call);
    this.#prompt.delete(key);
    this.#unknown.delete(key);
    this.#slow.delete(key);
  }

  /** Aborts one call; one that had not begun is taken out and returned, since nobody will settle it. */
  abort(task: number, epoch: number, callId: string): QueuedCall<Request> | null {
    for (const line of Object.values(this.#lines)) {
      const call = line.take((each) => each.callId === callId && each.task === task && each.epoch === epoch);
      if (call !== null) return call;
    }
    const key = `${task}/${epoch}/${callId}`;
    const held = this.#prompt.get(key) ?? this.#unknown.get(key);
    (held?.call ?? this.#slow.get(key))?.controller.abort();
    return null;
  }

  /** Aborts all calls of a task that is gone; those not begun are forgotten. Returns how many ran. */
  abortTask(task: number, epoch: number): number {
    for (const line of Object.values(this.#lines))
      line.drop((call) => call.task === task && call.epoch === epoch);
    let aborted = 0;
    for (const call of this.#all()) {
      if (call.task !== task || call.epoch !== epoch) continue;
      call.controller.abort();
      aborted += 1;
    }
    return aborted;
  }

  abortAll(): void {
    for (const line of Object.values(this.#lines)) line.drop(() => true);
    for (const call of this.#all()) call.controller.abort();
  }

  get #held(): number {
    return this.#prompt.size + this.#unknown.size;
  }

  /** No more may run without a slot. */
  get #isFull(): boolean {
    return this.#slow.size >= this.#slowCalls.max;
  }

  get #isUnknownHeld(): boolean {
    return this.#slowCalls.max > 0 && this.#isFull && this.#unknown.size >= Math.ceil(this.#slots / 2);
  }

  *#all(): Iterable<QueuedCall<Request>> {
    for (const { call } of this.#prompt.values()) yield call;
    for (const { call } of this.#unknown.values()) yield call;
    yield* this.#slow.values();
  }

  #giveSlotsBack(held: Begun<Request>, nowMs: number): void {
    for (const [key, { call, slowAtMs }] of held) {
      if (slowAtMs > nowMs || this.#isFull) return;
      held.delete(key);
      this.#slow.set(key, call);
    }
  }
}

function firstOf<Request>(held: Begun<Request>): number {
  for (const { slowAtMs } of held.values()) return slowAtMs;
  return Infinity;
}

const keyOf = (call: QueuedCall<unknown>): string => `${call.task}/${call.epoch}/${call.callId}`;
