/** A call that a step asked for. */
export interface QueuedCall<Request> {
  readonly task: number;
  readonly epoch: number;
  readonly lane: string;
  readonly callId: string;
  readonly request: Request;
  readonly controller: AbortController;
}

/**
 * Calls wait here for a slot. No more than `slots` run at once in the process, whatever the number of
 * tasks and domains; the queue itself is bounded by what the tasks hold unfinished.
 */
export class CallQueue<Request> {
  #waiting: QueuedCall<Request>[] = [];
  /** Those before it have begun: shifting a long array would move all of it each time. */
  #head = 0;
  readonly #running = new Map<string, QueuedCall<Request>>();
  readonly #slots: number;

  constructor(slots: number) {
    this.#slots = slots;
  }

  get running(): number {
    return this.#running.size;
  }

  get waiting(): number {
    return this.#waiting.length - this.#head;
  }

  push(call: QueuedCall<Request>): void {
    this.#waiting.push(call);
  }

  /** The next call to begin, or null: no slot is free or nothing waits. */
  begin(): QueuedCall<Request> | null {
    if (this.#running.size >= this.#slots) return null;
    const call = this.#waiting[this.#head];
    if (call === undefined) return null;
    this.#head += 1;
    if (this.#head >= 64 && this.#head * 2 >= this.#waiting.length) this.#compact();
    this.#running.set(keyOf(call), call);
    return call;
  }

  /** The call has settled. */
  end(call: QueuedCall<Request>): void {
    this.#running.delete(keyOf(call));
  }

  /** Aborts one call; one that had not begun is taken out and returned, since nobody will settle it. */
  abort(task: number, epoch: number, callId: string): QueuedCall<Request> | null {
    this.#compact();
    const index = this.#waiting.findIndex(
      (call) => call.callId === callId && call.task === task && call.epoch === epoch,
    );
    if (index >= 0) return this.#waiting.splice(index, 1)[0] ?? null;
    this.#running.get(`${task}/${epoch}/${callId}`)?.controller.abort();
    return null;
  }

  /** Aborts all calls of a task that is gone; those not begun are forgotten. Returns how many ran. */
  abortTask(task: number, epoch: number): number {
    this.#compact();
    this.#waiting = this.#waiting.filter((call) => call.task !== task || call.epoch !== epoch);
    let aborted = 0;
    for (const call of this.#running.values()) {
      if (call.task !== task || call.epoch !== epoch) continue;
      call.controller.abort();
      aborted += 1;
    }
    return aborted;
  }

  abortAll(): void {
    this.#waiting = [];
    this.#head = 0;
    for (const call of this.#running.values()) call.controller.abort();
  }

  #compact(): void {
    if (this.#head === 0) return;
    this.#waiting = this.#waiting.slice(this.#head);
    this.#head = 0;
  }
}

const keyOf = (call: QueuedCall<unknown>): string => `${call.task}/${call.epoch}/${call.callId}`;
