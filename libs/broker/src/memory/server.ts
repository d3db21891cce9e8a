/** What the simulated broker does on a request, at the moment the request arrives. */
import type { BrokerRecord, CommittedOffset, OutRecord, TopicPartition, Written } from "@sluice/runtime";
import { BrokerError } from "./broker-error.ts";
import { type Coordination, Group } from "./group.ts";
import { type LogRead, type NewRecord, type PartitionLog, recordBytes } from "./log.ts";
import { Topics } from "./topics.ts";
import { digest } from "./trace.ts";
import { type ProducerHandle, TransactionCoordinator, type TransactionSurroundings } from "./transactions.ts";

export interface FetchRequest extends TopicPartition {
  /** Null reads from the group's committed offset, or from the start where it has none. */
  readonly from: number | null;
}

export interface Fetched extends TopicPartition {
  readonly from: number;
  readonly read: LogRead;
  readonly highWatermark: number;
}

export interface FetchLimits {
  readonly group: string | null;
  readonly partitionBytesMax: number;
  readonly waitMsMax: number;
}

export interface ServerOptions extends Coordination {
  readonly transactionTimeoutMs: number;
  readonly markerDelayMsMax: number;
  readonly onOffsets: TransactionSurroundings["onOffsets"];
}

export class Server {
  readonly topics = new Topics();
  readonly transactions: TransactionCoordinator;
  /** What its time of day is ahead of the right one. */
  clockAheadMs = 0;
  readonly #options: ServerOptions;
  readonly #groups = new Map<string, Group>();

  constructor(options: ServerOptions) {
    this.#options = options;
    this.transactions = new TransactionCoordinator(options);
  }

  /** The group of the name; a new one is empty and has no offsets. */
  group(name: string): Group {
    const known = this.#groups.get(name);
    if (known !== undefined) return known;
    const group = new Group(name, this.#options);
    this.#groups.set(name, group);
    return group;
  }

  deleteGroup(name: string): void {
    const members = this.#groups.get(name)?.memberIds.length ?? 0;
    if (members > 0) throw new BrokerError("NON_EMPTY_GROUP", `${name} has ${members} members`);
    this.#groups.delete(name);
  }

  /** Offsets that a member commits outside transactions, under the id of the task whose they are. */
  commitOffsets(
    id: string,
    by: { readonly group: string; readonly memberId: string; readonly generation: number },
    offsets: readonly CommittedOffset[],
  ): void {
    this.group(by.group).commit(by.memberId, by.generation, offsets);
    this.#options.onOffsets(id, by.group, offsets);
  }

  /** When an empty record was appended, by the broker's clock. */
  timeMs(topic: string): number {
    if (!this.topics.isDatedByBroker(topic)) throw new Error(`${topic} is not dated by the broker`);
    const timestampMs = this.#options.clock.nowMs() + this.clockAheadMs;
    this.topics
      .log({ topic, partition: 0 })
      .append([{ key: null, value: null, headers: {}, timestampMs }], null);
    return timestampMs;
  }

  restart(): void {
    for (const group of this.#groups.values()) group.restart();
  }

  /** Appends what the topics allow, then throws if there was something they do not allow. */
  produce(
    records: readonly OutRecord[],
    timestampMs: number,
    handle: ProducerHandle | null,
  ): readonly Written[] {
    const byLog = new Map<PartitionLog, NewRecord[]>();
    const refused: BrokerError[] = [];
    for (const out of records) {
      const log = this.topics.log(out);
      const record = toNewRecord(out, timestampMs);
      const error = this.#refusal(out.topic, record);
      if (error !== null) refused.push(error);
      else {
        const added = byLog.get(log) ?? [];
        added.push(record);
        byLog.set(log, added);
      }
    }
    const written = [...byLog].map(([log, added]) => {
      const lastOffset =
        handle === null ? log.append(added, null) : this.transactions.append(handle, log, added);
      const content = digest(added.flatMap(({ key, value }) => [key, value]));
      this.#options.trace.add("broker", "appended", `${log.topic}/${log.partition} ${lastOffset} ${content}`);
      return { topic: log.topic, partition: log.partition, lastOffset };
    });
    if (refused[0] !== undefined) throw refused[0];
    return written;
  }

  /** Answers at once where there is news for any of the partitions, else as soon as there is. */
  fetch(
    requests: readonly FetchRequest[],
    limits: FetchLimits,
  ): readonly Fetched[] | Promise<readonly Fetched[]> {
    const news = this.#news(requests, limits);
    if (news.length > 0) return news;
    const { clock } = this.#options;
    return new Promise((resolve) => {
      const unwatch: (() => void)[] = [];
      const finish = (answer: readonly Fetched[]) => {
        cancel();
        for (const end of unwatch) end();
        resolve(answer);
      };
      const look = (changed: FetchRequest) => {
        if (this.#news([changed], limits).length > 0) finish(this.#news(requests, limits));
      };
      const cancel = clock.setTimer(clock.nowMs() + limits.waitMsMax, () => finish([]));
      for (const request of requests) unwatch.push(this.topics.log(request).watch(() => look(request)));
    });
  }

  /** All that a read_committed reader could see now, by partition. */
  committed(topic: string): readonly (readonly BrokerRecord[])[] {
    return this.topics.logs(topic).map((log) => {
      const read = log.read(log.low, Number.POSITIVE_INFINITY);
      return read.kind === "read" ? read.records : [];
    });
  }

  #news(requests: readonly FetchRequest[], limits: FetchLimits): readonly Fetched[] {
    const fetched: Fetched[] = [];
    for (const { topic, partition, from: asked } of requests) {
      const log = this.topics.log({ topic, partition });
      const from = asked ?? this.#committedOffset(limits.group, { topic, partition }) ?? log.low;
      const read = log.read(from, limits.partitionBytesMax);
      if (read.kind === "out_of_range" || read.nextOffset > from) {
        fetched.push({ topic, partition, from, read, highWatermark: log.highWatermark });
      }
    }
    return fetched;
  }

  #committedOffset(group: string | null, at: TopicPartition): number | undefined {
    return group === null ? undefined : this.group(group).committedOf(at)?.offset;
  }

  #refusal(topic: string, record: NewRecord): BrokerError | null {
    const bytesMax = this.topics.recordBytesMax(topic);
    const bytes = recordBytes(record);
    if (bytes > bytesMax)
      return new BrokerError("MESSAGE_TOO_LARGE", `${bytes} bytes for ${topic}, at most ${bytesMax}`);
    if (record.key === null && this.topics.isCompacted(topic)) {
      return new BrokerError("INVALID_RECORD", `a record without key for the compacted topic ${topic}`);
    }
    return null;
  }
}

function toNewRecord({ key, value, headers }: OutRecord, timestampMs: number): NewRecord {
  return { key: toBuffer(key), value: toBuffer(value), headers: { ...headers }, timestampMs };
}

function toBuffer(data: string | Buffer | null): Buffer | null {
  if (data === null) return null;
  return typeof data === "string" ? Buffer.from(data) : Buffer.from(data);
}
