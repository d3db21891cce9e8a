/** The port's transactional producer: one kafkajs producer, on a `Kafka` object that nothing else uses. */
import {
  CommitFailed,
  type CommittedOffset,
  type Failpoint,
  type OnFailpoint,
  type Transaction,
  type TransactionalProducer,
  type Written,
} from "@sluice/runtime";
import type { CompressionTypes, Producer, Transaction as KafkajsTransaction } from "kafkajs";
import { openClient } from "./client.ts";
import type { Client, ConnectionSettings, Retry } from "./client.ts";
import { commitFailed, endFailed } from "./failures.ts";
import { chunksOf, lastOffsets } from "./record-chunks.ts";
import { retrying, within } from "./waits.ts";

export interface TransactionSettings {
  /** After this the broker aborts a transaction by itself; the commit is given up then, too. */
  readonly transactionTimeoutMs: number;
  readonly compression: CompressionTypes;
  readonly onFailpoint: OnFailpoint | null;
}

/**
 * The first request after a commit meets CONCURRENT_TRANSACTIONS while the markers are being written, and
 * kafkajs sleeps `initialRetryTime` then: milliseconds here, or every commit takes 300 ms.
 */
const promptRetry: Retry = {
  initialRetryTime: 3,
  retries: 150,
  factor: 0,
  multiplier: 1.2,
  maxRetryTime: 100,
};
const closeWaitMs = 2_000;
const endTxnApiKey = 26;
/** Behind the frame's length. */
const apiKeyAt = 4;

export class KafkajsTransactionalProducer implements TransactionalProducer {
  readonly #connection: ConnectionSettings;
  readonly #settings: TransactionSettings;
  readonly #transactionalId: string;
  readonly #onClosed: () => void;
  #open: { readonly client: Client; readonly producer: Producer } | null = null;
  #state: "idle" | "committing" | "spent" = "idle";
  #failpointError: unknown = null;
  #committing = false;

  constructor(
    connection: ConnectionSettings,
    settings: TransactionSettings,
    transactionalId: string,
    onClosed: () => void,
  ) {
    this.#connection = connection;
    this.#settings = settings;
    this.#transactionalId = transactionalId;
    this.#onClosed = onClosed;
  }

  async fence(): Promise<void> {
    if (this.#state !== "idle") throw new Error(`fence on a producer that is ${this.#state}`);
    await this.#disconnect();
    const onWrite = (frame: Buffer): void => this.#onWrite(frame);
    const { onFailpoint, transactionTimeoutMs } = this.#settings;
    const client = openClient(this.#connection, promptRetry, onFailpoint === null ? null : onWrite);
    const producer = client.kafka.producer({
      transactionalId: this.#transactionalId,
      idempotent: true,
      maxInFlightRequests: 1,
      transactionTimeout: transactionTimeoutMs,
      allowAutoTopicCreation: false,
      retry: promptRetry,
      createPartitioner:
        () =>
        ({ message }) =>
          message.partition ?? -1,
    });
    this.#open = { client, producer };
    try {
      await within(transactionTimeoutMs * 2, "fencing", this.#bumpEpoch(producer));
    } catch (error) {
      await this.#disconnect();
      throw commitFailed(`fencing ${this.#transactionalId}`, error);
    }
  }

  async commit(transaction: Transaction): Promise<readonly Written[]> {
    if (this.#state !== "idle") throw new Error(`commit on a producer that is ${this.#state}`);
    if (transaction.records.length === 0 && transaction.offsets.length === 0) return [];
    if (this.#open === null) await this.fence();
    const producer = this.#open?.producer;
    if (producer === undefined) throw new Error("the producer is not connected");
    this.#state = "committing";
    try {
      const limitMs = this.#settings.transactionTimeoutMs;
      const written = await within(limitMs, "the transaction", this.#transact(producer, transaction));
      this.#state = "idle";
      return written;
    } catch (error) {
      this.#state = "spent";
      throw commitFailed(`committing as ${this.#transactionalId}`, error);
    }
  }

  async close(): Promise<void> {
    this.#state = "spent";
    this.#onClosed();
    await this.#disconnect();
  }

  destroy(): void {
    this.#state = "spent";
    this.#open?.client.destroy();
  }

  /** InitProducerId raises the epoch and aborts what was open; an empty transaction sends nothing more. */
  async #bumpEpoch(producer: Producer): Promise<void> {
    await producer.connect();
    const empty = await producer.transaction();
    await empty.abort();
  }

  async #transact(producer: Producer, transaction: Transaction): Promise<readonly Written[]> {
    const open = await producer.transaction();
    const written = new Map<string, Written>();
    for (const topicMessages of chunksOf(transaction.records)) {
      const confirmed = await open.sendBatch({
        acks: -1,
        compression: this.#settings.compression,
        topicMessages,
      });
      for (const last of lastOffsets(topicMessages, confirmed)) {
        written.set(`${last.topic}:${last.partition}`, last);
      }
    }
    this.#reach("after_send");
    await this.#sendOffsets(open, transaction);
    this.#reach("after_send_offsets");
    this.#committing = true;
    try {
      await open.commit();
    } catch (error) {
      throw endFailed(error);
    } finally {
      this.#committing = false;
    }
    if (this.#failpointError !== null) throw this.#failpointError;
    return [...written.values()];
  }

  async #sendOffsets(open: KafkajsTransaction, { group, offsets }: Transaction): Promise<void> {
    if (offsets.length === 0) return;
    const topics = [...Map.groupBy(offsets, ({ topic }) => topic)].map(([topic, of]) => ({
      topic,
      partitions: of.map(({ partition, offset, metadata }: CommittedOffset) => ({
        partition,
        offset: String(offset),
        metadata,
      })),
    }));
    const limitMs = this.#settings.transactionTimeoutMs;
    await retrying({ firstDelayMs: 3, delayMsMax: 100, limitMs }, () =>
      open.sendOffsets({ consumerGroupId: group, topics }),
    );
  }

  #reach(name: Failpoint): void {
    this.#settings.onFailpoint?.(name);
  }

  /** EndTxn has been handed to the socket, its answer is on the way: a throw here must not reach the socket. */
  #onWrite(frame: Buffer): void {
    if (!this.#committing || frame.length < apiKeyAt + 2 || frame.readInt16BE(apiKeyAt) !== endTxnApiKey)
      return;
    try {
      this.#reach("after_commit_sent");
    } catch (error) {
      this.#failpointError = error ?? new CommitFailed("after_commit_sent", { fenced: false });
    }
  }

  async #disconnect(): Promise<void> {
    const open = this.#open;
    this.#open = null;
    if (open === null) return;
    await within(closeWaitMs, "disconnecting", open.producer.disconnect()).catch(() => undefined);
    open.client.destroy();
  }
}
