/** A group member that reads as the runtime does: positions are its own, what does not continue them is dropped. */
import {
  type AssignTasks,
  type Batch,
  type Broker,
  type BrokerRecord,
  type GroupConsumer,
  type GroupOptions,
  type Join,
  type MemberClaim,
  type TopicPartition,
} from "@sluice/runtime";
import type { World } from "./world.ts";

export interface MemberOptions {
  readonly instance: string;
  readonly group: string;
  readonly inputs: readonly string[];
  readonly changelog?: string;
  readonly tables?: readonly string[];
  readonly tasks: number;
  readonly assign?: AssignTasks;
  readonly claim?: Partial<MemberClaim>;
  readonly client?: Broker;
}

export class Member {
  readonly joins: Join[] = [];
  readonly batches: Batch[] = [];
  readonly failures: Error[] = [];
  /** Names of all handler calls, in order. */
  readonly calls: string[] = [];
  /** Batches that did not continue the position. */
  strays = 0;
  readonly client: Broker;
  readonly #consumer: GroupConsumer;
  readonly #positions = new Map<string, number>();
  readonly #records = new Map<string, BrokerRecord[]>();

  constructor(world: World, options: MemberOptions) {
    const { sessionTimeoutMs, heartbeatIntervalMs, rebalanceTimeoutMs } = world.broker;
    const { instance, group, inputs, changelog, tables, tasks, assign, claim } = options;
    this.client = options.client ?? world.connect(instance);
    const settings: GroupOptions = {
      group,
      inputs,
      changelog: changelog ?? null,
      tables: tables ?? [],
      tasks,
      claim: () => ({ instance, owned: [], onDisk: [], heardAtMs: 0, ...claim }),
      assign: assign ?? byInstance,
      sessionTimeoutMs,
      heartbeatIntervalMs,
      rebalanceTimeoutMs,
      partitionBytesMax: 65_536,
    };
    this.#consumer = this.client.groupConsumer(settings);
  }

  start(): Promise<void> {
    return this.#consumer.start({
      onJoined: (join) => {
        this.calls.push("joined");
        this.#positions.clear();
        this.joins.push(join);
      },
      onBatch: (batch) => {
        this.calls.push("batch");
        this.#take(batch);
      },
      onHeartbeat: () => this.calls.push("heartbeat"),
      onRebalancing: () => this.calls.push("rebalancing"),
      onFailed: (error) => {
        this.calls.push("failed");
        this.failures.push(error);
      },
    });
  }

  stop(): Promise<void> {
    return this.#consumer.stop();
  }

  /** What the last join gave; empty before the first. */
  get tasks(): readonly number[] {
    return [...(this.joins.at(-1)?.tasks ?? [])].sort((a, b) => a - b);
  }

  seek(at: TopicPartition, offset: number): void {
    this.#positions.set(keyOf(at), offset);
    this.#consumer.seek(at, offset);
  }

  pause(...partitions: readonly TopicPartition[]): void {
    this.#consumer.pause(partitions);
  }

  resume(...partitions: readonly TopicPartition[]): void {
    this.#consumer.resume(partitions);
  }

  read(at: TopicPartition, offset: number): void {
    this.seek(at, offset);
    this.resume(at);
  }

  /** Begins again as if nothing had been read. */
  forget(at: TopicPartition): void {
    this.#records.delete(keyOf(at));
  }

  /** Records of batches that continued the position. */
  values(at: TopicPartition): readonly (string | null)[] {
    return (this.#records.get(keyOf(at)) ?? []).map(({ value }) => value?.toString() ?? null);
  }

  position(at: TopicPartition): number {
    return this.#positions.get(keyOf(at)) ?? -1;
  }

  count(call: string): number {
    return this.calls.filter((name) => name === call).length;
  }

  #take(batch: Batch): void {
    this.batches.push(batch);
    const key = keyOf(batch);
    if (this.#positions.get(key) !== batch.fromOffset) {
      this.strays++;
      return;
    }
    this.#positions.set(key, batch.nextOffset);
    this.#records.set(key, [...(this.#records.get(key) ?? []), ...batch.records]);
  }
}

/** Tasks in turn to the members in the order of their instances' names. */
export const byInstance: AssignTasks = (members, tasks) => {
  const sorted = [...members].sort((a, b) =>
    (a.claim?.instance ?? "") < (b.claim?.instance ?? "") ? -1 : 1,
  );
  const all = Array.from({ length: tasks }, (_, task) => task);
  return new Map(
    sorted.map(({ memberId }, at) => [memberId, all.filter((task) => task % sorted.length === at)]),
  );
};

function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}
