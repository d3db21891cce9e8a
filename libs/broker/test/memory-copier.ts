/** A small worker that copies a topic exactly once, by the rules that the runtime follows at full size. */
import type { Batch, GroupConsumer, GroupHandlers, TransactionalProducer } from "@sluice/runtime";
import { byInstance } from "../src/conformance/member.ts";
import type { MemoryClient } from "../src/memory.ts";

interface Task {
  readonly partition: number;
  isOwned: boolean;
  position: number;
  queue: Batch[];
  wake: () => void;
}

export interface CopierOptions {
  readonly client: MemoryClient;
  readonly group: string;
  readonly from: string;
  readonly to: string;
  readonly tasks: number;
}

export class Copier {
  readonly client: MemoryClient;
  readonly #options: CopierOptions;
  readonly #consumer: GroupConsumer;
  #tasks = new Map<number, Task>();
  #heard: (() => void)[] = [];

  constructor(options: CopierOptions) {
    this.client = options.client;
    this.#options = options;
    const { client, group, from, tasks } = options;
    this.#consumer = client.groupConsumer({
      group,
      inputs: [from],
      changelog: null,
      tables: [],
      tasks,
      claim: () => ({ instance: client.name, owned: [...this.#tasks.keys()], onDisk: [], heardAtMs: 0 }),
      assign: byInstance,
      sessionTimeoutMs: 3_000,
      heartbeatIntervalMs: 300,
      rebalanceTimeoutMs: 5_000,
      partitionBytesMax: 300,
    });
  }

  start(): Promise<void> {
    const handlers: GroupHandlers = {
      onJoined: ({ tasks }) => {
        this.#drop();
        for (const partition of tasks) void this.#own(partition);
        this.#hear();
      },
      onBatch: (batch) => this.#take(batch),
      onHeartbeat: () => this.#hear(),
      onRebalancing: () => undefined,
      onFailed: (_, restarting) => {
        if (!restarting) throw new Error("the consumer died");
      },
    };
    return this.#consumer.start(handlers);
  }

  #drop(): void {
    for (const task of this.#tasks.values()) {
      task.isOwned = false;
      task.wake();
    }
    this.#tasks = new Map();
  }

  #hear(): void {
    const heard = this.#heard;
    this.#heard = [];
    for (const resolve of heard) resolve();
  }

  #take(batch: Batch): void {
    const task = this.#tasks.get(batch.partition);
    if (task === undefined || batch.fromOffset !== task.position) return;
    task.position = batch.nextOffset;
    task.queue.push(batch);
    task.wake();
  }

  async #own(partition: number): Promise<void> {
    const task: Task = { partition, isOwned: true, position: -1, queue: [], wake: () => undefined };
    this.#tasks.set(partition, task);
    while (task.isOwned) {
      try {
        const producer = await this.client.transactionalProducer(`copy-${partition}`);
        await producer.fence();
        await this.#copy(task, producer);
      } catch {
        // Whatever failed, its outcome is unknown: start over from the offsets, once the group has answered.
        if (task.isOwned) this.#consumer.pause([{ topic: this.#options.from, partition }]);
        task.position = -1;
        await new Promise<void>((resolve) => {
          this.#heard.push(resolve);
        });
      }
    }
  }

  async #copy(task: Task, producer: TransactionalProducer): Promise<void> {
    const { group, from, to } = this.#options;
    const { partition } = task;
    const committed = await this.client.admin.committedOffsets(group, [from]);
    if (!task.isOwned) return;
    task.position = committed.find((offset) => offset.partition === partition)?.offset ?? 0;
    task.queue = [];
    this.#consumer.seek({ topic: from, partition }, task.position);
    this.#consumer.resume([{ topic: from, partition }]);
    while (task.isOwned) {
      const batch = task.queue.shift();
      if (batch === undefined) {
        await new Promise<void>((resolve) => {
          task.wake = resolve;
        });
        continue;
      }
      const records = batch.records.map(({ key, value }) => ({ topic: to, partition, key, value }));
      const offsets = [{ topic: from, partition, offset: batch.nextOffset, metadata: "" }];
      await producer.commit({ group, records, offsets });
    }
  }
}
