/**
 * The parts of kafkajs that its public types do not show. They are reached by path (the package has no
 * `exports` map), so the version is pinned exactly and a test fails when it changes.
 */
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);

/** The one version whose internals this package knows. */
export const kafkajsVersion = "2.2.4";

export function installedKafkajsVersion(): string {
  return (require("kafkajs/package.json") as { version: string }).version;
}

export interface TopicPartitions {
  readonly topic: string;
  readonly partitions: number[];
}

export interface InternalCluster {
  findTopicPartitionMetadata(topic: string): readonly { readonly partitionId: number }[];
  committedOffsets(of: { groupId: string }): Record<string, Record<number, string>>;
  fetchTopicsOffset(
    topics: readonly {
      topic: string;
      partitions: readonly { partition: number }[];
      fromBeginning: boolean;
    }[],
  ): Promise<readonly { topic: string; partitions: readonly { partition: number; offset: string }[] }[]>;
}

export interface InternalOffsetManager {
  readonly cluster: InternalCluster;
  nextOffset(topic: string, partition: number): { toString(): string };
  resolveOffset(at: { topic: string; partition: number; offset: string }): void;
  setDefaultOffset(at: { topic: string; partition: number }): Promise<void>;
  getCoordinator(): Promise<{ offsetCommit(request: OffsetCommit): Promise<unknown> }>;
}

export interface OffsetCommit {
  readonly groupId: string;
  readonly groupGenerationId: number;
  readonly memberId: string;
  readonly topics: readonly {
    readonly topic: string;
    readonly partitions: readonly {
      readonly partition: number;
      readonly offset: string;
      readonly metadata: string;
    }[];
  }[];
}

export interface InternalGroup {
  readonly cluster: InternalCluster;
  readonly groupId: string;
  memberId: string | null;
  generationId: number | null;
  topics: string[];
  partitionsPerSubscribedTopic: unknown;
  offsetManager: InternalOffsetManager | null;
  readonly topicConfigurations: unknown;
  readonly instrumentationEmitter: unknown;
  readonly seekOffset: {
    set(topic: string, partition: number, offset: string): void;
    has(topic: string, partition: number): boolean;
    clear(): void;
  };
  readonly subscriptionState: {
    assign(assignment: TopicPartitions[]): void;
    assigned(): TopicPartitions[];
    pause(partitions: TopicPartitions[]): void;
    resume(partitions: TopicPartitions[]): void;
    isPaused(topic: string, partition: number): boolean;
  };
  connect(): Promise<void>;
  joinAndSync(): Promise<void>;
}

export interface RawMessage {
  readonly offset: string;
  readonly timestamp: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, Buffer | string | (Buffer | string)[] | null | undefined>>;
  readonly isControlRecord: boolean;
  readonly batchContext: { readonly producerId: string; readonly inTransaction: boolean };
  /** Ours: why the batch could not be read that this stands for. */
  readonly fault?: string;
}

/** The decoded messages of one partition in one fetch answer; `nextOffset` is ours, see `patches.ts`. */
export type RawMessages = RawMessage[] & { nextOffset?: number };

export interface PartitionData {
  readonly partition: number;
  messages: RawMessages;
  abortedTransactions?: readonly { readonly producerId: string; readonly firstOffset: string }[] | null;
}

export interface InternalBatch {
  readonly topic: string;
  readonly partition: number;
  readonly fetchedOffset: string;
  readonly highWatermark: string;
  readonly rawMessages: RawMessages;
  readonly messages: RawMessages;
}

export interface Decoder {
  readInt32(): number;
  canReadBytes(length: number): boolean;
  readBytes(length: number): Buffer;
}

export interface RecordBatch {
  readonly firstOffset: string;
  readonly lastOffsetDelta: number;
  readonly records: readonly RawMessage[];
}

interface Constructor<T> {
  readonly prototype: T;
}

export interface RequestQueue {
  readonly pending: readonly unknown[];
  scheduleCheckPendingRequests(): void;
}

export interface InternalConnection {
  socket?: { removeAllListeners(event: "data"): unknown };
  /** Of an answer that has come in part. */
  chunks: Buffer[];
  bytesBuffered: number;
  bytesNeeded: number;
  isConnected(): boolean;
  connect(): Promise<unknown>;
}

export interface InternalBroker {
  fetch(request: unknown): Promise<{ responses: { partitions: PartitionData[] }[] }>;
  listOffsets(request: { readonly isolationLevel?: number }): Promise<unknown>;
}

export const RequestQueueClass = require("kafkajs/src/network/requestQueue") as Constructor<RequestQueue>;
export const ConnectionClass = require("kafkajs/src/network/connection") as Constructor<InternalConnection>;
export const BrokerClass = require("kafkajs/src/broker") as Constructor<InternalBroker>;
export const BatchClass = require("kafkajs/src/consumer/batch") as Constructor<
  InternalBatch & {
    isEmpty(): boolean;
    isEmptyDueToFiltering(): boolean;
    lastOffset(): string;
  }
>;
export const ConsumerGroupClass = require("kafkajs/src/consumer/consumerGroup") as Constructor<InternalGroup>;
export const OffsetManagerClass =
  require("kafkajs/src/consumer/offsetManager") as Constructor<InternalOffsetManager> &
    (new (options: Record<string, unknown>) => InternalOffsetManager);

export const DecoderClass = require("kafkajs/src/protocol/decoder") as new (buffer: Buffer) => Decoder;
export const decodeRecordBatch = require("kafkajs/src/protocol/recordBatch/v0/decoder") as (
  decoder: Decoder,
) => Promise<RecordBatch>;

type DecodeMessages = (decoder: Decoder) => Promise<RawMessages>;

/**
 * Puts another decoder of fetched messages in place of kafkajs' own. The modules that use it are loaded
 * with the first fetch, hence this must run before.
 */
export function replaceDecodeMessages(make: (original: DecodeMessages) => DecodeMessages): void {
  const path = require.resolve("kafkajs/src/protocol/requests/fetch/v4/decodeMessages");
  const original = require(path) as DecodeMessages;
  const loaded = require.cache[path];
  if (loaded === undefined) throw new Error("kafkajs' decodeMessages is not in the module cache");
  loaded.exports = make(original);
}
