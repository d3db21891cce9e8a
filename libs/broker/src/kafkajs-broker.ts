/** The broker port on kafkajs: the default for real Kafka. */
import type { ConnectionOptions } from "node:tls";
import type {
  Broker,
  GroupConsumer,
  GroupOptions,
  OnFailpoint,
  Producer,
  Tail,
  TailOptions,
  TransactionalProducer,
} from "@sluice/runtime";
import type { SASLOptions } from "kafkajs";
import { KafkajsAdmin } from "./kafkajs/admin.ts";
import type { ConnectionSettings } from "./kafkajs/client.ts";
import { compressionType } from "./kafkajs/codecs.ts";
import type { Compression } from "./kafkajs/codecs.ts";
import { KafkajsGroupConsumer } from "./kafkajs/group-consumer.ts";
import { PlainTaskProducer } from "./kafkajs/plain-task-producer.ts";
import { KafkajsIdempotentProducer } from "./kafkajs/producer.ts";
import { openTail } from "./kafkajs/tail.ts";
import { KafkajsTransactionalProducer } from "./kafkajs/transactional-producer.ts";
import { taskOf } from "./tenures.ts";

export interface KafkajsBrokerOptions {
  /** `host:port` of brokers to begin with. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly ssl?: ConnectionOptions | boolean;
  readonly sasl?: SASLOptions;
  readonly onFailpoint?: OnFailpoint;
  /** Events by name, e.g. `offset_out_of_range`; nothing is logged in normal work. */
  readonly log?: (event: string, fields: object) => void;
  /** 3 s by default. */
  readonly connectionTimeoutMs?: number;
  /** How long an answer may take before the request counts as failed; 15 s by default. */
  readonly requestTimeoutMs?: number;
  /** 10 s by default: readers with read_committed wait behind a killed producer's open transaction. */
  readonly transactionTimeoutMs?: number;
  /** Of what is written; `none` by default. What is read may have any. */
  readonly compression?: Compression;
  /**
   * With transactions by default. `at-least-once` writes without: a record may come twice, offsets never run
   * ahead of what was written.
   */
  readonly delivery?: Delivery;
}

export type Delivery = "exactly-once" | "at-least-once";

export interface KafkajsBroker extends Broker {
  /** Ends all connections at once, as the death of the process would: no group is left, nothing is awaited. */
  destroy(): void;
}

export function kafkajsBroker(options: KafkajsBrokerOptions): KafkajsBroker {
  return new KafkajsParts(options);
}

interface Part {
  close(): Promise<void>;
  destroy(): void;
}

class KafkajsParts implements KafkajsBroker {
  readonly admin: KafkajsAdmin;
  readonly #connection: ConnectionSettings;
  readonly #options: KafkajsBrokerOptions;
  /** What is open still, to be closed with the broker. */
  readonly #open = new Set<Part>();
  #timekeeper: KafkajsIdempotentProducer | null = null;
  readonly #groups = new Map<string, KafkajsGroupConsumer>();

  constructor(options: KafkajsBrokerOptions) {
    this.#options = options;
    this.#connection = {
      brokers: options.brokers,
      clientId: options.clientId,
      ssl: options.ssl,
      sasl: options.sasl,
      log: options.log ?? (() => undefined),
      connectionTimeoutMs: options.connectionTimeoutMs ?? 3_000,
      requestTimeoutMs: options.requestTimeoutMs ?? 15_000,
    };
    this.admin = new KafkajsAdmin(this.#connection);
  }

  groupConsumer(options: GroupOptions): GroupConsumer {
    const consumer: KafkajsGroupConsumer = new KafkajsGroupConsumer(this.#connection, options, () => {
      this.#open.delete(consumer);
      this.#groups.delete(options.group);
    });
    this.#open.add(consumer);
    this.#groups.set(options.group, consumer);
    return consumer;
  }

  async transactionalProducer(transactionalId: string): Promise<TransactionalProducer> {
    const {
      compression = "none",
      transactionTimeoutMs = 10_000,
      onFailpoint = null,
      delivery,
    } = this.#options;
    if (delivery === "at-least-once") return this.#plainTaskProducer(transactionalId);
    const producer: KafkajsTransactionalProducer = new KafkajsTransactionalProducer(
      this.#connection,
      { transactionTimeoutMs, compression: compressionType(compression), onFailpoint },
      transactionalId,
      () => this.#open.delete(producer),
    );
    this.#open.add(producer);
    return producer;
  }

  async producer(): Promise<Producer> {
    const producer = this.#idempotentProducer();
    await producer.connect();
    this.#open.add(producer);
    return producer;
  }

  timeMs(topic: string): Promise<number> {
    if (this.#timekeeper === null) {
      this.#timekeeper = this.#idempotentProducer();
      this.#open.add(this.#timekeeper);
    }
    return this.#timekeeper.appendedAtMs(topic);
  }

  #idempotentProducer(): KafkajsIdempotentProducer {
    const producer: KafkajsIdempotentProducer = new KafkajsIdempotentProducer(
      this.#connection,
      compressionType(this.#options.compression ?? "none"),
      () => this.#open.delete(producer),
    );
    return producer;
  }

  #plainTaskProducer(id: string): TransactionalProducer {
    const producer = this.#idempotentProducer();
    const { group: name, task } = taskOf(id);
    this.#open.add(producer);
    return new PlainTaskProducer({
      producer,
      tenure: () => this.#groups.get(name)?.tenures.of(task) ?? null,
      commitOffsets: async (group, offsets) => {
        const consumer = this.#groups.get(group);
        if (consumer === undefined) throw new Error(`no consumer of ${group} to commit offsets with`);
        await consumer.commitOffsets(offsets);
      },
      onFailpoint: this.#options.onFailpoint ?? null,
    });
  }

  async tail(options: TailOptions): Promise<Tail> {
    const tail: Tail & Part = await openTail(this.#connection, this.admin, options, () =>
      this.#open.delete(tail),
    );
    this.#open.add(tail);
    return tail;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open].map((part) => part.close()));
    await this.admin.close();
  }

  destroy(): void {
    for (const part of this.#open) part.destroy();
    this.admin.destroy();
  }
}
