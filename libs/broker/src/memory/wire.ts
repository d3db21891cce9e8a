/** One connection of a client to the broker: requests in order, seeded latency both ways, broken by outages. */
import { type Availability, unreachable } from "./availability.ts";
import { BrokerError } from "./broker-error.ts";
import type { SimClock } from "./clock.ts";
import type { SimProcess } from "./process.ts";
import type { Random } from "./random.ts";

export interface Latency {
  readonly minMs: number;
  readonly maxMs: number;
}

export interface Retries {
  readonly delayMs: number;
  readonly attempts: number;
}

export interface Network {
  readonly clock: SimClock;
  readonly random: Random;
  readonly availability: Availability;
  readonly latency: Latency;
  readonly retries: Retries;
}

export interface CallOptions {
  /** On top of the latency, each way. */
  readonly requestDelayMs?: number;
  readonly answerDelayMs?: number;
}

export class Wire {
  readonly #network: Network;
  readonly #process: SimProcess;
  #lastArrivalMs = 0;
  #lastAnswerMs = 0;

  constructor(network: Network, process: SimProcess) {
    this.#network = network;
    this.#process = process;
  }

  /** Sends one request. What a process has sent is served even if it dies before the answer. */
  call<T>(serve: () => T | Promise<T>, options: CallOptions = {}): Promise<T> {
    const { clock, availability } = this.#network;
    return new Promise((resolve, reject) => {
      const answer = (settle: () => void) => {
        const atMs = clock.nowMs() + this.#latencyMs() + (options.answerDelayMs ?? 0);
        this.#lastAnswerMs = Math.max(this.#lastAnswerMs, atMs);
        clock.setTimer(this.#lastAnswerMs, () => {
          this.#process.run(availability.up ? settle : () => reject(unreachable()));
        });
      };
      const arrive = () => {
        if (!availability.up) {
          answer(() => reject(unreachable()));
          return;
        }
        try {
          const served = serve();
          if (!(served instanceof Promise)) answer(() => resolve(served));
          else {
            availability.park(served).then(
              (value) => answer(() => resolve(value)),
              (error: unknown) => answer(() => reject(error)),
            );
          }
        } catch (error) {
          answer(() => reject(error));
        }
      };
      this.#process.run(() => {
        const atMs = clock.nowMs() + this.#latencyMs() + (options.requestDelayMs ?? 0);
        this.#lastArrivalMs = Math.max(this.#lastArrivalMs, atMs);
        clock.setTimer(this.#lastArrivalMs, arrive);
      });
    });
  }

  /** As {@link call}, again and again while the error is one that passes; `serve` must bear repetition. */
  async callAgain<T>(serve: () => T | Promise<T>, options: CallOptions = {}): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.call(serve, options);
      } catch (error) {
        const passes = error instanceof BrokerError && error.retriable;
        if (!passes || attempt >= this.#network.retries.attempts) throw error;
      }
      await this.wait(this.#network.retries.delayMs);
    }
  }

  wait(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#process.setTimer(this.#process.nowMs() + delayMs, resolve);
    });
  }

  #latencyMs(): number {
    const { random, latency } = this.#network;
    return random.between(latency.minMs, latency.maxMs);
  }
}

/** Makes an effect at the broker happen once, however often a lost answer makes the client repeat it. */
export function once<T>(serve: () => T): () => T {
  let done: { readonly value: T } | undefined;
  return () => (done ??= { value: serve() }).value;
}
