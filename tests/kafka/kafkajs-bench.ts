/** What the kafkajs trap tests work with: names of their own, a member that does as it is told, waiting. */
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { kafkajsBroker, type KafkajsBrokerOptions } from "@sluice/broker";
import type {
  AssignTasks,
  Batch,
  Broker,
  GroupConsumer,
  Join,
  OutRecord,
  TopicPartition,
} from "@sluice/runtime";
import kafkajs from "kafkajs";
import type { Kafka, Producer } from "kafkajs";
import { testBrokers } from "./brokers.ts";

export class Bench {
  readonly logged: { readonly event: string; readonly fields: object }[] = [];
  readonly #run = randomUUID().slice(0, 8);
  readonly #brokers: Broker[] = [];
  readonly #raw: Producer[] = [];
  #names = 0;

  connect(options: Partial<KafkajsBrokerOptions> = {}): Broker {
    const broker = kafkajsBroker({
      brokers: testBrokers(),
      clientId: `traps-${this.#names++}`,
      log: (event, fields) => this.logged.push({ event, fields }),
      ...options,
    });
    this.#brokers.push(broker);
    return broker;
  }

  name(kind: string): string {
    return `traps.${this.#run}.${kind}${this.#names++}`;
  }

  async topic(
    broker: Broker,
    partitions = 1,
    configs: Readonly<Record<string, string>> = {},
  ): Promise<string> {
    const name = this.name("topic");
    await broker.admin.createTopics([{ name, partitions, configs }]);
    return name;
  }

  /** kafkajs as it comes, for what the port does not let happen. */
  kafka(): Kafka {
    return new kafkajs.Kafka({
      brokers: testBrokers(),
      clientId: "raw",
      logLevel: kafkajs.logLevel.NOTHING,
      retry: { initialRetryTime: 5, retries: 200, factor: 0, multiplier: 1.2, maxRetryTime: 100 },
    });
  }

  async rawProducer(transactionalId: string): Promise<Producer> {
    const producer = this.kafka().producer({
      transactionalId,
      idempotent: true,
      maxInFlightRequests: 1,
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    });
    await producer.connect();
    this.#raw.push(producer);
    return producer;
  }

  async close(): Promise<void> {
    await Promise.all(this.#raw.splice(0).map((producer) => producer.disconnect()));
    await Promise.all(this.#brokers.splice(0).map((broker) => broker.close()));
  }
}

export interface MemberOptions {
  readonly group: string;
  readonly inputs: readonly string[];
  readonly changelog?: string;
  readonly tables?: readonly string[];
  readonly tasks: number;
  readonly instance?: string;
  readonly sessionTimeoutMs?: number;
  readonly partitionBytesMax?: number;
  readonly onJoined?: (member: Member, join: Join) => void;
}

/** A group member that keeps all it is told, and does only what `onJoined` does. */
export class Member {
  readonly joins: Join[] = [];
  readonly batches: Batch[] = [];
  readonly failures: { readonly error: Error; readonly restarting: boolean }[] = [];
  readonly events: string[] = [];
  heartbeats = 0;
  readonly consumer: GroupConsumer;
  readonly #options: MemberOptions;

  constructor(broker: Broker, options: MemberOptions) {
    this.#options = options;
    const instance = options.instance ?? "one";
    this.consumer = broker.groupConsumer({
      group: options.group,
      inputs: options.inputs,
      changelog: options.changelog ?? null,
      tables: options.tables ?? [],
      tasks: options.tasks,
      claim: () => ({ instance, owned: [], onDisk: [], heardAtMs: 0 }),
      assign: inTurn,
      sessionTimeoutMs: options.sessionTimeoutMs ?? 6_000,
      heartbeatIntervalMs: 500,
      rebalanceTimeoutMs: 10_000,
      partitionBytesMax: options.partitionBytesMax ?? 262_144,
    });
  }

  async start(): Promise<this> {
    await this.consumer.start({
      onJoined: (join) => {
        this.events.push("joined");
        this.joins.push(join);
        this.#options.onJoined?.(this, join);
      },
      onBatch: (batch) => {
        this.events.push("batch");
        this.batches.push(batch);
      },
      onHeartbeat: () => {
        this.heartbeats += 1;
      },
      onRebalancing: () => this.events.push("rebalancing"),
      onFailed: (error, restarting) => {
        this.events.push("failed");
        this.failures.push({ error, restarting });
      },
    });
    return this;
  }

  read(topic: string, partition: number, offset: number): void {
    this.consumer.seek({ topic, partition }, offset);
    this.consumer.resume([{ topic, partition }]);
  }

  of(topic: string, partition = 0): readonly Batch[] {
    return this.batches.filter((batch) => batch.topic === topic && batch.partition === partition);
  }

  values(topic: string, partition = 0): readonly (string | undefined)[] {
    return this.of(topic, partition).flatMap(({ records }) => records.map(({ value }) => value?.toString()));
  }

  position(topic: string, partition = 0): number {
    return this.of(topic, partition).at(-1)?.nextOffset ?? -1;
  }
}

/** Task by task to the members in the order of their instances. */
const inTurn: AssignTasks = (members, tasks) => {
  const order = [...members].sort((a, b) => ((a.claim?.instance ?? "") < (b.claim?.instance ?? "") ? -1 : 1));
  const all = Array.from({ length: tasks }, (_, task) => task);
  return new Map(
    order.map(({ memberId }, at) => [memberId, all.filter((task) => task % order.length === at)]),
  );
};

export function records(topic: string, values: readonly string[], partition = 0): OutRecord[] {
  return values.map((value) => ({ topic, partition, key: "k", value }));
}

export async function send(broker: Broker, given: readonly OutRecord[]): Promise<void> {
  const producer = await broker.producer();
  await producer.send(given);
  await producer.close();
}

export async function high(broker: Broker, { topic, partition }: TopicPartition): Promise<number> {
  return (await broker.admin.watermarks(topic))[partition]?.high ?? -1;
}

/** Polls: what is waited for happens inside the broker, which has no clock of ours. */
export async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadlineMs = performance.now() + 60_000;
  while (!(await condition())) {
    if (performance.now() > deadlineMs) throw new Error(`never came true: ${what}`);
    await delay(20);
  }
}
