/**
 * A broker in this process that keeps nothing, for one member: what the member writes is handed to `onRecord`, what is
 * appended is read once. Its cost is told apart, so that what is left is that of the service.
 */
import type {
  Batch,
  Broker,
  BrokerRecord,
  GroupConsumer,
  GroupHandlers,
  GroupOptions,
  OutRecord,
  TopicPartition,
  Transaction,
  TransactionalProducer,
} from "@sluice/runtime";

/** Records of one partition in one batch. */
const batchMax = 500;
const heartbeatMs = 250;

interface Log {
  readonly at: TopicPartition;
  /** Appended and not read. */
  unread: BrokerRecord[];
  /** Offset of the next record to be read. */
  read: number;
  end: number;
  isPaused: boolean;
}

export interface GeneratedBrokerOptions {
  readonly partitionsOf: (topic: string) => number;
  /** What the member has committed. */
  readonly onRecord: (record: OutRecord) => void;
  readonly nowMs: () => number;
}

export class GeneratedBroker implements Broker {
  readonly #options: GeneratedBrokerOptions;
  readonly #logs = new Map<string, Log>();
  #handlers: GroupHandlers | null = null;
  #beating: NodeJS.Timeout | null = null;
  #cpuMs = 0;

  constructor(options: GeneratedBrokerOptions) {
    this.#options = options;
  }

  /** CPU that everything but the service has used, in milliseconds. */
  get cpuMs(): number {
    return this.#cpuMs;
  }

  /** Records appended and not read. */
  get unread(): number {
    let sum = 0;
    for (const { unread } of this.#logs.values()) sum += unread.length;
    return sum;
  }

  /** Does what is not the service's work. */
  apart(act: () => void): void {
    const before = process.cpuUsage();
    act();
    const { user, system } = process.cpuUsage(before);
    this.#cpuMs += (user + system) / 1000;
  }

  append({ topic, partition, key, value }: OutRecord): void {
    const log = this.#log({ topic, partition });
    log.unread.push({
      offset: log.end,
      key: bytesOf(key),
      value: bytesOf(value),
      headers: {},
      timestampMs: this.#options.nowMs(),
    });
    log.end += 1;
  }

  /** Hands out what was appended, to partitions that are not paused. */
  deliver(): void {
    const handlers = this.#handlers;
    if (handlers === null) return;
    for (const log of this.#logs.values()) {
      if (log.isPaused || log.unread.length === 0) continue;
      const records = log.unread.splice(0, batchMax);
      const fromOffset = log.read;
      log.read += records.length;
      const batch: Batch = {
        ...log.at,
        records,
        fromOffset,
        nextOffset: log.read,
        highWatermark: log.end,
      };
      handlers.onBatch(batch);
    }
  }

  readonly admin = {
    clusterId: () => Promise.resolve("generated"),
    createTopics: () => Promise.resolve([]),
    topicDrift: () => Promise.resolve([]),
    committedOffsets: () => Promise.resolve([]),
    watermarks: (topic: string) =>
      Promise.resolve(
        Array.from({ length: this.#options.partitionsOf(topic) }, (_, partition) => {
          return { low: 0, high: this.#log({ topic, partition }).end };
        }),
      ),
    deleteGroup: () => Promise.resolve(),
  };

  groupConsumer({ tasks }: GroupOptions): GroupConsumer {
    const setPaused = (partitions: readonly TopicPartition[], isPaused: boolean): void => {
      for (const at of partitions) this.#log(at).isPaused = isPaused;
    };
    return {
      start: (handlers) => {
        this.#handlers = handlers;
        this.#beating = setInterval(() => handlers.onHeartbeat(), heartbeatMs);
        const all = Array.from({ length: tasks }, (_, task) => task);
        handlers.onJoined({ memberId: "member", generation: 1, tasks: all });
        return Promise.resolve();
      },
      seek: (at, offset) => {
        const { read } = this.#log(at);
        if (offset !== read)
          throw new Error(`${at.topic}/${at.partition}: ${offset} is sought, ${read} is next`);
      },
      pause: (partitions) => setPaused(partitions, true),
      resume: (partitions) => setPaused(partitions, false),
      stop: () => this.close(),
    };
  }

  transactionalProducer(): Promise<TransactionalProducer> {
    return Promise.resolve({
      fence: () => Promise.resolve(),
      commit: (transaction) =>
        new Promise((resolve) => {
          setImmediate(() => this.apart(() => resolve(this.#commit(transaction))));
        }),
      close: () => Promise.resolve(),
    });
  }

  producer(): Promise<never> {
    return Promise.reject(new Error("only the member writes"));
  }

  timeMs(): Promise<number> {
    return Promise.resolve(this.#options.nowMs());
  }

  tail(): Promise<never> {
    return Promise.reject(new Error("only the member reads"));
  }

  close(): Promise<void> {
    if (this.#beating !== null) clearInterval(this.#beating);
    this.#handlers = null;
    return Promise.resolve();
  }

  #commit({ records }: Transaction): readonly (TopicPartition & { readonly lastOffset: number })[] {
    const ends = new Map<string, TopicPartition & { readonly lastOffset: number }>();
    for (const record of records) {
      const { topic, partition } = record;
      this.#options.onRecord(record);
      const log = this.#log({ topic, partition });
      ends.set(`${topic}/${partition}`, { topic, partition, lastOffset: log.end - 1 });
    }
    return [...ends.values()];
  }

  /** A record that nobody reads: only its offset is counted. */
  skip(at: TopicPartition): void {
    const log = this.#log(at);
    log.end += 1;
    log.read = log.end;
  }

  #log(at: TopicPartition): Log {
    const name = `${at.topic}/${at.partition}`;
    let log = this.#logs.get(name);
    if (log === undefined) {
      log = { at: { topic: at.topic, partition: at.partition }, unread: [], read: 0, end: 0, isPaused: true };
      this.#logs.set(name, log);
    }
    return log;
  }
}

function bytesOf(text: string | Buffer | null): Buffer | null {
  return typeof text === "string" ? Buffer.from(text) : text;
}
