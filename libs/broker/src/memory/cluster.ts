/** A simulated Kafka cluster. For simulation only: nothing is durable, and nobody else can reach it. */
import type { BrokerRecord, CommittedOffset, OnFailpoint, TopicPartition } from "@sluice/runtime";
import { Availability } from "./availability.ts";
import { MemoryClient } from "./client.ts";
import type { SimClock } from "./clock.ts";
import type { Delivery } from "./client-context.ts";
import { type FaultRates, Faults } from "./faults.ts";
import { SimProcess } from "./process.ts";
import { type Random, seededRandom } from "./random.ts";
import { Server } from "./server.ts";
import { Trace } from "./trace.ts";
import { type Latency, type Retries, Wire } from "./wire.ts";

export interface MemoryBrokerOptions {
  readonly clock: SimClock;
  /** The same seed and the same calls give the same trace. */
  readonly seed: number;
  /** Of each request and each answer. Default 0 to 3 ms. */
  readonly latency?: Latency;
  /** Probabilities of faults; see {@link FaultRates}. */
  readonly faults?: Partial<FaultRates>;
  /** Longest delay of a delayed fetch. Default 200 ms. */
  readonly fetchDelayMsMax?: number;
  /** Longest time between a commit's answer and each of its markers. Default 5 ms. */
  readonly markerDelayMsMax?: number;
  /** How long a transaction may stay open before the coordinator aborts it. Default 10 s. */
  readonly transactionTimeoutMs?: number;
  /** How long a fetch waits at the broker for news. Default 100 ms. */
  readonly fetchWaitMsMax?: number;
  /** How a client repeats requests that fail in passing. Default 6 attempts, 50 ms apart. */
  readonly retries?: Retries;
  /** How long a crashed consumer waits before it joins again. Default 300 ms. */
  readonly restartDelayMs?: number;
  /** Nodes that lead partitions; a reader has one fetch at a time out to each. Default 3. */
  readonly nodes?: number;
  /** Whether tasks write in transactions. Default exactly-once. */
  readonly delivery?: Delivery;
  /** A transaction was decided to be committed: the offsets of a group that it has. For assertions. */
  readonly onOffsets?: (transactionalId: string, group: string, offsets: readonly CommittedOffset[]) => void;
  /** Every line of the trace, in order. */
  readonly onTrace?: (line: string) => void;
}

export interface ConnectOptions {
  readonly onFailpoint?: OnFailpoint;
}

export function memoryBroker(options: MemoryBrokerOptions): MemoryCluster {
  return new MemoryCluster(options);
}

export class MemoryCluster {
  readonly faults: Faults;
  readonly trace: Trace;
  readonly #options: MemoryBrokerOptions;
  readonly #random: Random;
  readonly #availability = new Availability();
  readonly #server: Server;
  #clients = 0;

  constructor(options: MemoryBrokerOptions) {
    const {
      clock,
      seed,
      fetchDelayMsMax = 200,
      transactionTimeoutMs = 10_000,
      markerDelayMsMax = 5,
    } = options;
    this.#options = options;
    this.#random = seededRandom(seed);
    this.trace = new Trace(clock, options.onTrace);
    const rates = { commit: 0, fetchTwice: 0, fetchDelayed: 0, lateBatch: 0.5, ...options.faults };
    this.faults = new Faults(this.#random.fork("faults"), rates, fetchDelayMsMax);
    this.#server = new Server({
      clock,
      random: this.#random.fork("server"),
      availability: this.#availability,
      trace: this.trace,
      transactionTimeoutMs,
      markerDelayMsMax,
      onOffsets: options.onOffsets ?? (() => undefined),
    });
  }

  /** A new process with its own connections. A name may be used again, as when a process is restarted. */
  connect(clientName: string, { onFailpoint = () => undefined }: ConnectOptions = {}): MemoryClient {
    const { clock, latency = { minMs: 0, maxMs: 3 }, retries = { delayMs: 50, attempts: 6 } } = this.#options;
    const process = new SimProcess(clientName, clock);
    const random = this.#random.fork(`${clientName}#${this.#clients++}`);
    const network = { clock, random, availability: this.#availability, latency, retries };
    return new MemoryClient({
      name: clientName,
      process,
      server: this.#server,
      faults: this.faults,
      trace: this.trace,
      delivery: this.#options.delivery ?? "exactly-once",
      nodes: this.#options.nodes ?? 3,
      fetchWaitMsMax: this.#options.fetchWaitMsMax ?? 100,
      restartDelayMs: this.#options.restartDelayMs ?? 300,
      onFailpoint,
      openWire: () => new Wire(network, process),
    });
  }

  /** Puts what lay in a partition elsewhere into it, at its offsets. The topic is there and empty. */
  restoreLog(at: TopicPartition, records: readonly BrokerRecord[], next: number): void {
    this.#server.topics.log(at).restore(records, next);
  }

  /** Offsets that a group had committed elsewhere. */
  restoreOffsets(group: string, offsets: readonly CommittedOffset[]): void {
    this.#server.group(group).restore(offsets);
  }

  /** Breaks all connections and refuses new ones until {@link startBroker}. Logs and groups survive. */
  stopBroker(): void {
    this.trace.add("broker", "stopped", "");
    this.#availability.down();
  }

  startBroker(): void {
    this.trace.add("broker", "started", "");
    this.#server.restart();
    this.#availability.restore();
  }

  /** Stops the broker and starts it again after `ms`. */
  outage(ms: number): void {
    this.stopBroker();
    const { clock } = this.#options;
    clock.setTimer(clock.nowMs() + ms, () => this.startBroker());
  }

  /** Compacts all partitions now, below the last stable offset. Returns how many entries went. */
  compact(topic: string, { dropTombstones = false }: { readonly dropTombstones?: boolean } = {}): number {
    if (!this.#server.topics.isCompacted(topic)) throw new Error(`${topic} is not a compacted topic`);
    let removed = 0;
    for (const log of this.#server.topics.logs(topic)) removed += log.compact(dropTombstones);
    this.trace.add("broker", "compacted", `${topic} ${removed}`);
    return removed;
  }

  /** Retention: the partition begins at `lowOffset` now, or at its last stable offset if that is lower. */
  trim(topic: string, partition: number, lowOffset: number): void {
    this.#server.topics.log({ topic, partition }).trim(lowOffset);
    this.trace.add("broker", "trimmed", `${topic}/${partition} ${lowOffset}`);
  }

  /** Makes every member of the group join again. */
  rebalance(group: string): void {
    this.#server.group(group).rebalance();
  }

  memberIds(group: string): readonly string[] {
    return this.#server.group(group).memberIds;
  }

  /** By partition, what a read_committed reader of the whole topic would see now. For assertions. */
  committed(topic: string): readonly (readonly BrokerRecord[])[] {
    return this.#server.committed(topic);
  }

  /** The same of one partition, from an offset on, with the offset up to which that is all. For assertions. */
  committedFrom(
    at: TopicPartition,
    offset: number,
  ): { readonly records: readonly BrokerRecord[]; readonly nextOffset: number } {
    const log = this.#server.topics.log(at);
    const from = Math.max(offset, log.low);
    const read = log.read(from, Number.POSITIVE_INFINITY);
    return read.kind === "read" ? read : { records: [], nextOffset: from };
  }

  /** Somebody sets the broker's time of day: who asks for it from now on gets another one. */
  setClock(aheadMs: number): void {
    this.trace.add("broker", "clock_set", String(aheadMs));
    this.#server.clockAheadMs = aheadMs;
  }

  /** The offset after the last entry of a partition, markers and open transactions included. */
  endOf(at: TopicPartition): number {
    return this.#server.topics.log(at).highWatermark;
  }

  /** What the group has committed for a partition; open transactions are as good as absent. */
  committedOffset(group: string, at: TopicPartition): CommittedOffset | null {
    return this.#server.group(group).committedOf(at);
  }
}
