/** Reads parts of topics at the pace of who asks: what was read and not asked for is bounded. */
import type { Batch, Broker, Tail } from "@sluice/runtime";

export interface LogRange {
  readonly topic: string;
  readonly partition: number;
  /** First offset to be read. */
  readonly from: number;
  /** Offset at which it ends, itself left out; null: never. */
  readonly end: number | null;
}

interface Progress extends LogRange {
  next: number;
}

/** Above this much waiting, no more is fetched; a fetch that is under way comes on top of it. */
const waitingBytesMax = 1024 * 1024;

/**
 * The port's tail can't be paused, and offsets are the cheaper pause: the tail is closed when enough waits,
 * and opened again where it was when all of that was taken.
 */
export class LogReader {
  readonly #broker: Broker;
  readonly #ranges: Map<string, Progress>;
  readonly #waiting: Batch[] = [];
  #waitingBytes = 0;
  #tail: Tail | null = null;
  #closing: Promise<unknown> = Promise.resolve();
  #closed = false;
  #error: Error | null = null;
  #wake: (() => void) | null = null;

  constructor(broker: Broker, ranges: readonly LogRange[]) {
    this.#broker = broker;
    this.#ranges = new Map(ranges.map((range) => [keyOf(range), { ...range, next: range.from }]));
  }

  /** The next batch, without records beyond the end; null at the end of all ranges and after `close`. */
  async read(): Promise<Batch | null> {
    for (;;) {
      const batch = this.#waiting.shift();
      if (batch !== undefined) {
        this.#waitingBytes -= bytesOf(batch);
        return batch;
      }
      if (this.#error !== null) throw this.#error;
      if (this.#closed || this.#unfinished().length === 0) {
        await this.close();
        return null;
      }
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      if (this.#tail === null) await this.#open();
      if (this.#waiting.length === 0 && this.#error === null && !this.#closed) await promise;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#waiting.length = 0;
    this.#wake?.();
    this.#pause();
    await this.#closing;
  }

  #unfinished(): readonly Progress[] {
    return [...this.#ranges.values()].filter(({ next, end }) => end === null || next < end);
  }

  async #open(): Promise<void> {
    await this.#closing;
    const tail = await this.#broker.tail({
      from: this.#unfinished().map(({ topic, partition, next }) => ({ topic, partition, offset: next })),
      onBatch: (batch) => this.#take(batch),
      onFailed: (error, restarting) => {
        if (restarting) return;
        this.#error = error;
        this.#wake?.();
      },
    });
    this.#tail = tail;
    // It may have been closed, or enough may have come, before we had it in hand.
    if (this.#closed || this.#isFull()) this.#pause();
  }

  #take(batch: Batch): void {
    const progress = this.#ranges.get(keyOf(batch));
    if (progress === undefined || this.#closed || this.#isFull()) return;
    const { end } = progress;
    if (end !== null && progress.next >= end) return;
    progress.next = batch.nextOffset;
    const records = end === null ? batch.records : batch.records.filter(({ offset }) => offset < end);
    const taken = { ...batch, records };
    this.#waiting.push(taken);
    this.#waitingBytes += bytesOf(taken);
    if (this.#isFull() || this.#unfinished().length === 0) this.#pause();
    this.#wake?.();
  }

  #isFull(): boolean {
    return this.#waitingBytes >= waitingBytesMax;
  }

  #pause(): void {
    const tail = this.#tail;
    this.#tail = null;
    if (tail === null) return;
    // A tail that can't be closed has nothing to say any more; the next one is opened all the same.
    this.#closing = this.#closing.then(() => tail.close()).catch(() => undefined);
  }
}

const keyOf = ({ topic, partition }: { topic: string; partition: number }): string => `${topic}:${partition}`;

function bytesOf({ records }: Batch): number {
  return records.reduce((sum, { value }) => sum + (value?.length ?? 0), 0);
}
