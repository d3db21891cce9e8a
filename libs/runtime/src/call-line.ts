import type { QueuedCall } from "./call-queue.ts";

/** Calls in the order in which they were asked for. */
export class CallLine<Request> {
  #calls: QueuedCall<Request>[] = [];
  /** Those before it have begun: shifting a long array would move all of it each time. */
  #head = 0;

  get length(): number {
    return this.#calls.length - this.#head;
  }

  push(call: QueuedCall<Request>): void {
    this.#calls.push(call);
  }

  shift(): QueuedCall<Request> | undefined {
    const call = this.#calls[this.#head];
    if (call === undefined) return undefined;
    this.#head += 1;
    if (this.#head >= 64 && this.#head * 2 >= this.#calls.length) this.#compact();
    return call;
  }

  /** Takes the first such call out, wherever it stands. */
  take(isIt: (call: QueuedCall<Request>) => boolean): QueuedCall<Request> | null {
    this.#compact();
    const index = this.#calls.findIndex(isIt);
    return index < 0 ? null : (this.#calls.splice(index, 1)[0] ?? null);
  }

  drop(isOver: (call: QueuedCall<Request>) => boolean): void {
    this.#compact();
    this.#calls = this.#calls.filter((call) => !isOver(call));
  }

  #compact(): void {
    if (this.#head === 0) return;
    this.#calls = this.#calls.slice(this.#head);
    this.#head = 0;
  }
}
