/** What a conformance case works with: clients, names of its own, and waiting for conditions. */
import type { Batch, Broker, OutRecord, TailOptions, TopicPartition, Transaction } from "@sluice/runtime";
import { Collector } from "./collector.ts";

/** A transaction whose records and offsets were sent, with no decision taken. */
export interface OpenTransaction {
  /** Rejects as a producer's commit does. */
  commit(): Promise<void>;
}

/** A broker under test, and what a suite needs beyond the port to bring about its situations. */
export interface ConformanceBroker {
  /** A client as a process of its own would have it. */
  connect(clientName: string): Broker;
  /** Resolves when the condition holds; rejects, naming `what`, after a generous limit. */
  until(condition: () => boolean | Promise<boolean>, what: string): Promise<void>;
  /** Makes names of topics, groups and transactional ids unique among runs on the same cluster. */
  readonly unique: string;
  readonly sessionTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  readonly rebalanceTimeoutMs: number;
  /** Ends the client as kill -9 ends its process. Cases that need it are skipped where it is missing. */
  readonly kill?: (client: Broker) => Promise<void> | void;
  /** Sends a transaction under the id without ending it, and without any fence. */
  readonly openTransaction?: (transactionalId: string, transaction: Transaction) => Promise<OpenTransaction>;
  /** Deletes the records below the offset, as retention does. */
  readonly trim?: (at: TopicPartition, lowOffset: number) => Promise<void> | void;
  close(): Promise<void>;
}

export type Need = "kill" | "openTransaction" | "trim";

export interface ConformanceCase {
  /** A sentence of behaviour. */
  readonly name: string;
  /** Without this the case is skipped. */
  readonly needs?: Need;
  run(world: World): Promise<void>;
}

export class World {
  readonly broker: ConformanceBroker;
  readonly #prefix: string;
  readonly #clients: Broker[] = [];
  readonly #killed = new Set<Broker>();
  #names = 0;
  #shared: Broker | undefined;

  constructor(broker: ConformanceBroker, number: number) {
    this.broker = broker;
    this.#prefix = `conformance.${broker.unique}.${number}`;
  }

  connect(clientName: string): Broker {
    const client = this.broker.connect(clientName);
    this.#clients.push(client);
    return client;
  }

  /** The client for what a case does on the side: topics, seeds, looking on. */
  get shared(): Broker {
    this.#shared ??= this.connect("side");
    return this.#shared;
  }

  name(kind: string): string {
    return `${this.#prefix}.${kind}${this.#names++}`;
  }

  async topic(partitions: number, configs: Readonly<Record<string, string>> = {}): Promise<string> {
    const name = this.name("topic");
    await this.shared.admin.createTopics([{ name, partitions, configs }]);
    return name;
  }

  async send(records: readonly OutRecord[]): Promise<void> {
    const producer = await this.shared.producer();
    await producer.send(records);
    await producer.close();
  }

  /** Reads from the given positions, with all that arrives kept in order. */
  async tail(from: TailOptions["from"], client = this.shared): Promise<Collector> {
    const collector = new Collector();
    const tail = await client.tail({
      from,
      onBatch: (batch: Batch) => collector.add(batch),
      onFailed: (error) => collector.failures.push(error),
    });
    collector.close = () => tail.close();
    return collector;
  }

  until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
    return this.broker.until(condition, what);
  }

  async highWatermark({ topic, partition }: TopicPartition): Promise<number> {
    return (await this.shared.admin.watermarks(topic))[partition]?.high ?? -1;
  }

  async kill(client: Broker): Promise<void> {
    this.#killed.add(client);
    await this.broker.kill?.(client);
  }

  openTransaction(transactionalId: string, transaction: Transaction): Promise<OpenTransaction> {
    const { openTransaction } = this.broker;
    if (openTransaction === undefined) throw new Error("the case needs openTransaction");
    return openTransaction(transactionalId, transaction);
  }

  async close(): Promise<void> {
    for (const client of this.#clients) if (!this.#killed.has(client)) await client.close();
    await this.broker.close();
  }
}

/** The protocol's name of an error, wherever in the chain of causes it is. */
export function errorTypes(error: unknown): readonly string[] {
  const types: string[] = [];
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if ("type" in at && typeof at.type === "string") types.push(at.type);
    if ("code" in at && typeof at.code === "string") types.push(at.code);
  }
  return types;
}
