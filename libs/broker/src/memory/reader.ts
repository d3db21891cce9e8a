/** Fetches for one reader: one request at a time to each node, positions moved by what was delivered. */
import type { Batch, TopicPartition } from "@sluice/runtime";
import { BrokerError } from "./broker-error.ts";
import type { Faults } from "./faults.ts";
import type { Fetched, FetchLimits, Server } from "./server.ts";
import type { Trace } from "./trace.ts";
import type { Wire } from "./wire.ts";

/** Where a reader stands in one partition. */
export interface Position extends TopicPartition {
  /** Null until a seek: the group's committed offset. */
  next: number | null;
  paused: boolean;
  /** Counts seeks, so that a fetch knows whether one overtook it. */
  seeks: number;
  /** Where the reader was before retention moved it on; it sees a hole, as compaction leaves them. */
  jumpedFrom: number | null;
}

export interface ReaderOptions {
  readonly who: string;
  readonly server: Server;
  readonly faults: Faults;
  readonly trace: Trace;
  readonly nodes: number;
  readonly limits: FetchLimits;
  readonly openWire: () => Wire;
  readonly positions: readonly Position[];
  readonly onBatch: (batch: Batch) => void;
  /** A fetch failed for good, or a handler threw: this reader has ended. */
  readonly onError: (error: unknown) => void;
}

export class Reader {
  readonly #options: ReaderOptions;
  #state: "reading" | "overtaken" | "ended" = "reading";

  constructor(options: ReaderOptions) {
    this.#options = options;
  }

  start(): void {
    const byNode = new Map<number, Position[]>();
    for (const position of this.#options.positions) {
      const node = nodeOf(position, this.#options.nodes);
      byNode.set(node, [...(byNode.get(node) ?? []), position]);
    }
    for (const positions of byNode.values()) {
      this.#loop(positions).catch((error: unknown) => {
        if (this.#state === "reading") this.#options.onError(error);
      });
    }
  }

  /** The group rebalances: nothing more is fetched, what is in flight may still be delivered. */
  overtake(): void {
    if (this.#state === "reading") this.#state = "overtaken";
  }

  end(): void {
    this.#state = "ended";
  }

  async #loop(positions: readonly Position[]): Promise<void> {
    const { server, limits, openWire } = this.#options;
    const wire = openWire();
    while (this.#state === "reading") {
      const active = positions.filter((position) => !position.paused);
      if (active.length === 0) {
        await wire.wait(limits.waitMsMax);
        continue;
      }
      const asked = active.map((position) => ({ position, seeks: position.seeks }));
      const requests = active.map(({ topic, partition, next }) => ({ topic, partition, from: next }));
      const fetched = await wire.callAgain(() => server.fetch(requests, limits));
      const delayMs = fetched.length > 0 ? this.#options.faults.fetchDelayMs() : 0;
      if (delayMs > 0) await wire.wait(delayMs);
      for (const { position, seeks } of asked) {
        const answer = fetched.find((f) => f.topic === position.topic && f.partition === position.partition);
        if (answer !== undefined) this.#take(wire, position, seeks, answer);
      }
    }
  }

  #take(wire: Wire, position: Position, seeks: number, fetched: Fetched): void {
    const { faults } = this.#options;
    const isSought = position.seeks !== seeks;
    const isLate = isSought || position.paused || this.#state !== "reading";
    if (this.#state === "ended" || (isLate && !faults.isLateBatchDelivered())) return;
    const { read, from, topic, partition, highWatermark } = fetched;
    if (read.kind === "out_of_range") {
      // Always the earliest: the end would lose all that lies between.
      if (isSought) return;
      position.jumpedFrom = from < read.low ? (position.jumpedFrom ?? from) : null;
      position.next = read.low;
      return;
    }
    const fromOffset = isSought ? from : (position.jumpedFrom ?? from);
    if (!isSought) {
      position.next = read.nextOffset;
      position.jumpedFrom = null;
    }
    const { records, nextOffset } = read;
    const batch: Batch = { topic, partition, records, fromOffset, nextOffset, highWatermark };
    this.#deliver(batch);
    if (!faults.isBatchRepeated()) return;
    wire
      .wait(1)
      .then(() => this.#deliver(batch))
      .catch((error: unknown) => this.#options.onError(error));
  }

  #deliver(batch: Batch): void {
    if (this.#state === "ended") return;
    const { who, trace, onBatch } = this.#options;
    trace.add(who, "batch", `${batch.topic}/${batch.partition} ${batch.fromOffset} ${batch.nextOffset}`);
    onBatch(batch);
  }
}

/** Leaders are spread over the nodes, so that answers for two partitions overtake each other. */
function nodeOf({ topic, partition }: TopicPartition, nodes: number): number {
  return (topic.length + partition) % nodes;
}

/** Whether a reader or member does best to begin again. */
export function isPassing(error: unknown): boolean {
  return error instanceof BrokerError && error.retriable;
}
