/** Writes outside transactions: idempotent, acknowledged by all replicas, one request at a time. */
import type { OutRecord, Producer, Written } from "@sluice/runtime";
import type { CompressionTypes, Producer as KafkajsProducer } from "kafkajs";
import { openClient, patientRetry } from "./client.ts";
import type { Client, ConnectionSettings } from "./client.ts";
import { sendFailure } from "./failures.ts";
import { chunksOf, lastOffsets } from "./record-chunks.ts";
import { within } from "./waits.ts";

const closeWaitMs = 5_000;

interface Connected {
  readonly client: Client;
  readonly producer: KafkajsProducer;
}

export class KafkajsIdempotentProducer implements Producer {
  readonly #connection: ConnectionSettings;
  readonly #compression: CompressionTypes;
  readonly #onClosed: () => void;
  #connected: Connected | null = null;
  #closed = false;
  /** The sends so far: kafkajs' sequence numbers go wrong where sends overlap. */
  #tail: Promise<unknown> = Promise.resolve();

  constructor(connection: ConnectionSettings, compression: CompressionTypes, onClosed: () => void) {
    this.#connection = connection;
    this.#onClosed = onClosed;
    this.#compression = compression;
  }

  async connect(): Promise<void> {
    await this.#connect();
  }

  send(records: readonly OutRecord[]): Promise<readonly Written[]> {
    const sent = this.#tail.then(() => this.#send(records));
    this.#tail = sent.catch(() => undefined);
    return sent;
  }

  /** Appends a record without contents, and tells when the broker did; its topic has the broker's timestamps. */
  appendedAtMs(topic: string): Promise<number> {
    const sent = this.#tail.then(async () => {
      const { producer } = await this.#connect();
      const messages = [{ partition: 0, key: null, value: null }];
      const [confirmed] = await producer.send({ topic, messages, acks: -1 });
      const timeMs = Number(confirmed?.logAppendTime ?? -1);
      if (timeMs < 0) throw new Error(`${topic} is not dated by the broker`);
      return timeMs;
    });
    this.#tail = sent.catch(() => this.#disconnect());
    return sent;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#onClosed();
    await within(closeWaitMs, "the last sends", this.#tail).catch(() => undefined);
    await this.#disconnect();
  }

  destroy(): void {
    this.#closed = true;
    this.#connected?.client.destroy();
  }

  async #send(records: readonly OutRecord[]): Promise<readonly Written[]> {
    if (this.#closed) throw new Error("the producer is closed");
    if (records.length === 0) return [];
    const { producer } = await this.#connect();
    const last = new Map<string, Written>();
    try {
      for (const topicMessages of chunksOf(records)) {
        const confirmed = await producer.sendBatch({
          acks: -1,
          compression: this.#compression,
          topicMessages,
        });
        for (const each of lastOffsets(topicMessages, confirmed))
          last.set(`${each.topic}:${each.partition}`, each);
      }
      return [...last.values()];
    } catch (error) {
      // Its sequence numbers are uncertain now; the next send begins with a new producer id.
      await this.#disconnect();
      throw sendFailure(error);
    }
  }

  async #connect(): Promise<Connected> {
    if (this.#connected !== null) return this.#connected;
    const client = openClient(this.#connection, patientRetry);
    const producer = client.kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      retry: patientRetry,
      createPartitioner:
        () =>
        ({ message }) =>
          message.partition ?? -1,
    });
    try {
      await producer.connect();
    } catch (error) {
      client.destroy();
      throw error;
    }
    this.#connected = { client, producer };
    return this.#connected;
  }

  async #disconnect(): Promise<void> {
    const connected = this.#connected;
    this.#connected = null;
    if (connected === null) return;
    await within(closeWaitMs, "disconnecting", connected.producer.disconnect()).catch(() => undefined);
    connected.client.destroy();
  }
}
