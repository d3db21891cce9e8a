/** Follows topics for as long as the process lives, and knows how far it has come. */
import type { Batch, Broker, Clock, Tail } from "@sluice/runtime";

export interface FollowerOptions {
  readonly broker: Broker;
  readonly clock: Clock;
  /** With the prefix. */
  readonly topics: readonly string[];
  /** Where to begin: with all that is there, or with what comes from now on. */
  readonly from: "low" | "high";
  readonly onBatch: (batch: Batch) => void;
  /** Retention overtook the follower: these offsets, `to` included, were never seen. */
  readonly onGap?: (topic: string, partition: number, from: number, to: number) => void;
  readonly onTrouble: (event: string, error: Error) => void;
}

interface Waiter {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly resolve: () => void;
}

interface Wait {
  readonly done: Promise<void>;
  readonly waiter: Waiter;
}

const reopenMs = 1000;

export class Follower {
  readonly #options: FollowerOptions;
  readonly #positions = new Map<string, Map<number, number>>();
  readonly #waiters = new Set<Waiter>();
  #tail: Tail | null = null;
  #closed = false;
  #failed = false;

  constructor(options: FollowerOptions) {
    this.#options = options;
  }

  /** A reader is open, as far as is known. */
  get following(): boolean {
    return this.#tail !== null && !this.#failed;
  }

  /** Rejects where the broker can't be reached; later it tries again by itself. */
  async open(): Promise<void> {
    const { broker, topics } = this.#options;
    for (const topic of topics) this.#place(topic, await broker.admin.watermarks(topic));
    const from = [...this.#positions].flatMap(([topic, partitions]) =>
      [...partitions].map(([partition, offset]) => ({ topic, partition, offset })),
    );
    const tail = await broker.tail({
      from,
      onBatch: (batch) => this.#take(batch),
      onFailed: (error, restarting) => {
        this.#options.onTrouble("follower_failed", error);
        if (!restarting) this.#openLater();
      },
    });
    this.#failed = false;
    if (this.#closed) await tail.close();
    else this.#tail = tail;
  }

  /** Offset of the next record that `onBatch` will be given, if there is one at it. */
  next(topic: string, partition: number): number {
    return this.#positions.get(topic)?.get(partition) ?? 0;
  }

  /**
   * Resolves when all that was in the topic at the time of the call has been given to `onBatch`: true; false
   * where that takes longer than the limit. Rejects where the broker can't be asked.
   */
  async caughtUp(topic: string, limitMs: number, only?: number): Promise<boolean> {
    const marks = await this.#options.broker.admin.watermarks(topic);
    const waits = marks.map(({ high }, partition) =>
      only === undefined || only === partition ? this.#reached(topic, partition, high) : null,
    );
    return this.#inTime(
      waits.filter((each) => each !== null),
      limitMs,
    );
  }

  /** Resolves when the record at the offset has been given to `onBatch`: true; false where that takes longer. */
  async passed(topic: string, partition: number, offset: number, limitMs: number): Promise<boolean> {
    const wait = this.#reached(topic, partition, offset + 1);
    return wait === null || (await this.#inTime([wait], limitMs));
  }

  async #inTime(waiting: readonly Wait[], limitMs: number): Promise<boolean> {
    const late = Promise.withResolvers<false>();
    const cancel = this.#options.clock.after(limitMs, () => late.resolve(false));
    const inTime = await Promise.race([
      Promise.all(waiting.map(({ done }) => done)).then(() => true),
      late.promise,
    ]);
    cancel();
    for (const { waiter } of waiting) this.#waiters.delete(waiter);
    return inTime;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#tail?.close();
    this.#tail = null;
  }

  #place(topic: string, marks: readonly { readonly low: number; readonly high: number }[]): void {
    const positions = this.#positions.get(topic) ?? new Map<number, number>();
    this.#positions.set(topic, positions);
    for (const [partition, { low, high }] of marks.entries()) {
      const known = positions.get(partition);
      if (known === undefined) positions.set(partition, this.#options.from === "low" ? low : high);
      else if (known < low) {
        positions.set(partition, low);
        this.#options.onGap?.(topic, partition, known, low - 1);
      }
    }
  }

  #take(batch: Batch): void {
    this.#failed = false;
    // First the work, then the position: who sees the position sees the work.
    this.#options.onBatch(batch);
    this.#positions.get(batch.topic)?.set(batch.partition, batch.nextOffset);
    for (const waiter of this.#waiters) {
      if (waiter.topic !== batch.topic || waiter.partition !== batch.partition) continue;
      if (batch.nextOffset < waiter.offset) continue;
      this.#waiters.delete(waiter);
      waiter.resolve();
    }
  }

  #reached(topic: string, partition: number, offset: number): Wait | null {
    if (this.next(topic, partition) >= offset) return null;
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiter = { topic, partition, offset, resolve };
    this.#waiters.add(waiter);
    return { done: promise, waiter };
  }

  #openLater(): void {
    if (this.#closed) return;
    this.#failed = true;
    const old = this.#tail;
    this.#tail = null;
    this.#options.clock.after(reopenMs, () => void this.#reopen(old));
  }

  async #reopen(old: Tail | null): Promise<void> {
    if (this.#closed) return;
    try {
      await old?.close();
      await this.open();
    } catch (error) {
      this.#options.onTrouble(
        "follower_not_opened",
        error instanceof Error ? error : new Error(String(error)),
      );
      this.#openLater();
    }
  }
}
