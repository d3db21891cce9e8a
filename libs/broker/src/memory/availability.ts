/** Whether the broker can be reached, and what waits until it can. */
import { BrokerError } from "./broker-error.ts";

export class Availability {
  #up = true;
  #waiting: (() => void)[] = [];
  readonly #parked = new Set<(error: Error) => void>();

  get up(): boolean {
    return this.#up;
  }

  /** Breaks all connections: what is parked at the broker fails at once, what arrives later too. */
  down(): void {
    this.#up = false;
    const parked = [...this.#parked];
    this.#parked.clear();
    for (const fail of parked) fail(unreachable());
  }

  restore(): void {
    if (this.#up) return;
    this.#up = true;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const task of waiting) task();
  }

  /** The broker's own work: now, or after it has come back. */
  whenUp(task: () => void): void {
    if (this.#up) task();
    else this.#waiting.push(task);
  }

  /** Lets an answer that takes time fail with the connection. */
  park<T>(answer: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#parked.add(reject);
      answer.then(resolve, reject).finally(() => this.#parked.delete(reject));
    });
  }
}

export function unreachable(): BrokerError {
  return new BrokerError("NETWORK_EXCEPTION", "the broker can't be reached");
}
