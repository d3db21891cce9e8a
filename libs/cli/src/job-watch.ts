/** Watches a job through Kafka: its counters, and the hosts that wait. */
import { decodeRecord, partitionOf, topics, type Counters, type Host } from "@sluice/records";
import type { Batch, Broker, Clock, Tail } from "@sluice/runtime";
import { JobFigures } from "./job-figures.ts";
import { HostBook } from "./waiting-hosts.ts";

export interface WatchOptions {
  readonly broker: Broker;
  readonly clock: Clock;
  readonly prefix: string;
  readonly partitions: number;
  readonly job: string;
  readonly run: number;
  readonly onFailed: (error: Error) => void;
}

const reopenMs = 1000;
const lookMs = 50;

export class JobWatch {
  readonly figures: JobFigures;
  readonly hosts = new HostBook();
  /** Resolves when the run has ended. */
  readonly ended: Promise<void>;
  readonly #options: WatchOptions;
  readonly #end = Promise.withResolvers<void>();
  readonly #countersPartition: number;
  readonly #positions = new Map<string, number>();
  #tail: Tail | null = null;
  #closed = false;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.figures = new JobFigures(options.job, options.run);
    this.ended = this.#end.promise;
    this.#countersPartition = partitionOf(options.job, options.partitions);
  }

  async open(): Promise<void> {
    const { broker, prefix, partitions } = this.#options;
    const hosts = Array.from({ length: partitions }, (_, partition) => ({
      topic: prefix + topics.hosts.name,
      partition,
    }));
    const from = [{ topic: prefix + topics.counters.name, partition: this.#countersPartition }, ...hosts];
    const tail = await broker.tail({
      from: from.map((at) => ({
        ...at,
        offset: this.#positions.get(`${at.topic}:${at.partition}`) ?? "start",
      })),
      onBatch: (batch) => this.#take(batch),
      onFailed: (error, restarting) => {
        if (!restarting) this.#openLater(error);
      },
    });
    if (this.#closed) await tail.close();
    else this.#tail = tail;
  }

  /** Resolves when all counters that are there now have been read, or the time is over. */
  async catchUp(limitMs: number): Promise<void> {
    const { broker, clock, prefix } = this.#options;
    const topic = prefix + topics.counters.name;
    const high = (await broker.admin.watermarks(topic))[this.#countersPartition]?.high ?? 0;
    const untilMs = clock.monotonicMs() + limitMs;
    const position = (): number => this.#positions.get(`${topic}:${this.#countersPartition}`) ?? 0;
    while (position() < high && clock.monotonicMs() < untilMs) {
      await new Promise<void>((resolve) => clock.after(lookMs, resolve));
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#tail?.close();
  }

  #take({ topic, partition, records, nextOffset }: Batch): void {
    this.#positions.set(`${topic}:${partition}`, nextOffset);
    const name = topic.slice(this.#options.prefix.length);
    for (const { key, value } of records) {
      const decoded = decodeRecord(name, value);
      if (name === topics.counters.name) {
        if (decoded.kind === "value") this.figures.fold(decoded.value as Counters);
      } else if (decoded.kind !== "poison") {
        this.hosts.fold(
          key?.toString("utf8") ?? "",
          decoded.kind === "value" ? (decoded.value as Host) : null,
        );
      }
    }
    if (this.figures.ended) this.#end.resolve();
  }

  #openLater(error: Error): void {
    if (this.#closed) return;
    const { clock, onFailed } = this.#options;
    onFailed(error);
    const old = this.#tail;
    this.#tail = null;
    clock.after(reopenMs, () => void this.#reopen(old));
  }

  async #reopen(old: Tail | null): Promise<void> {
    if (this.#closed) return;
    try {
      await old?.close();
      await this.open();
    } catch (error) {
      this.#openLater(error instanceof Error ? error : new Error(String(error)));
    }
  }
}
