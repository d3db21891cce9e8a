import { topicOf } from "@sluice/records";
import type { InputRecord } from "@sluice/topology";
import type { Batch, GroupConsumer, Join, OutRecord, TopicPartition } from "./broker.ts";
import { PartitionBudget } from "./budget.ts";
import { assignTasks } from "./assignment.ts";
import { CallQueue, type QueuedCall } from "./call-queue.ts";
import type { Clock } from "./clock.ts";
import { Heartbeats } from "./heartbeats.ts";
import type { RuntimeLimits } from "./limits.ts";
import type { Marks, PreparedTask } from "./preparation.ts";
import type { RuntimeProbe } from "./probe.ts";
import type { ServiceOptions } from "./service-options.ts";
import type { Task } from "./task.ts";
import type { TakenTransaction } from "./transaction.ts";

export interface PendingCommit extends TakenTransaction {
  /** Monotonic. */
  readonly startedAtMs: number;
}

/** What happened elsewhere (fetches, joins, commits, calls) and waits for the loop. */
export type LoopEvent<Outcome> =
  | { readonly kind: "joined"; readonly join: Join }
  | { readonly kind: "batch"; readonly batch: Batch }
  | { readonly kind: "heartbeat" }
  | { readonly kind: "prepared"; readonly tasks: readonly PreparedTask[] }
  | { readonly kind: "tables"; readonly marks: ReadonlyMap<string, readonly Marks[]> }
  | {
      readonly kind: "committed";
      readonly task: number;
      readonly epoch: number;
      readonly commit: PendingCommit;
      readonly changelogEnd: number | null;
    }
  | {
      readonly kind: "commit_failed";
      readonly task: number;
      readonly epoch: number;
      readonly error: Error;
      readonly largest: OutRecord | null;
    }
  | { readonly kind: "settled"; readonly call: QueuedCall<unknown>; readonly outcome: Outcome }
  /** The time has come to let some state outlive the process. */
  | { readonly kind: "checkpoint" }
  | { readonly kind: "local_table"; readonly table: string; readonly key: string };

/**
 * Batches in a row that do not continue the position, until the log is taken to be another one than the
 * position was read from. A batch that a seek overtook comes once or twice.
 */
export const staleInRowMax = 50;

/** What the loop gives to its parts. */
export interface Loop<Outcome> {
  /** Puts an event into the inbox; the only thing that may be done outside a turn. */
  enqueue(event: LoopEvent<Outcome>): void;
  /** A bug, or the end of the consumer: nothing more is committed. */
  fail(error: unknown): void;
}

/** What the parts of one service share: what it is, what it holds, and how far its end has come. */
export class Kernel<State, Rec extends InputRecord, Call, Outcome> {
  readonly options: ServiceOptions<State, Rec, Call, Outcome>;
  readonly clock: Clock;
  readonly limits: RuntimeLimits;
  readonly probe: RuntimeProbe;
  /** Tables whose dead letters this service writes, alone of all that read them. */
  readonly ownTables: readonly string[];
  readonly prefix: string;
  readonly group: string;
  readonly consumer: GroupConsumer;
  readonly heartbeats: Heartbeats;
  readonly budget: PartitionBudget;
  readonly calls: CallQueue<Call>;
  readonly tasks = new Map<number, Task<State, Rec>>();
  readonly loop: Loop<Outcome>;
  /** Joins in the inbox: the consumer has another assignment already than the tasks show. */
  joinsAhead = 0;
  /** Draining, or over: no new records and no new calls. */
  closing = false;
  /** Nothing is done any more. */
  dead = false;

  constructor(options: ServiceOptions<State, Rec, Call, Outcome>, loop: Loop<Outcome>) {
    this.options = options;
    this.clock = options.clock;
    this.limits = options.limits;
    this.probe = options.probe;
    // Task p writes for partition p, of a table that has so many.
    this.ownTables = options.tables.filter(
      (topic) => topicOf(`${topic}.dlq`)?.writers.includes(options.step.name) === true,
    );
    this.prefix = options.layout.prefix;
    // Also the stem of the transactional ids.
    this.group = this.prefix + options.step.name;
    this.heartbeats = new Heartbeats(this.clock, this.limits.sessionTimeoutMs);
    this.budget = new PartitionBudget(options.limits.partition, this.clock.monotonicMs);
    this.calls = new CallQueue(options.limits.callsMax, {
      afterMs: options.limits.slowCallsAfterMs,
      unknownAfterMs: options.limits.unknownCallsAfterMs,
      max: options.limits.slowCallsMax,
    });
    this.loop = loop;
    this.consumer = options.broker.groupConsumer({
      group: this.group,
      inputs: options.inputs.map((topic) => this.prefix + topic),
      changelog: options.changelog === null ? null : this.prefix + options.changelog,
      tables: options.tables.map((topic) => this.prefix + topic),
      tasks: options.layout.partitions,
      claim: () => {
        this.heartbeats.claimed();
        return {
          instance: options.instance,
          owned: [...this.tasks.keys()],
          onDisk: options.stores.held(),
          heardAtMs: this.heartbeats.heardAtEpochMs,
        };
      },
      assign: assignTasks,
      sessionTimeoutMs: this.limits.sessionTimeoutMs,
      heartbeatIntervalMs: this.limits.heartbeatIntervalMs,
      rebalanceTimeoutMs: this.limits.rebalanceTimeoutMs,
      partitionBytesMax: this.limits.partitionBytesMax,
    });
  }

  /** The task, if it is still the one that the epoch names. */
  taskOf(number: number, epoch: number): Task<State, Rec> | null {
    const task = this.tasks.get(number);
    return task === undefined || task.epoch !== epoch ? null : task;
  }

  /** The partition of a topic as the broker names it. */
  at(topic: string, partition: number): TopicPartition {
    return { topic: this.prefix + topic, partition };
  }

  /** The next batch starts at `offset`, unless a join is about to place everything anew. */
  seek(at: TopicPartition, offset: number): void {
    if (this.joinsAhead === 0) this.consumer.seek(at, offset);
  }

  resume(at: readonly TopicPartition[]): void {
    if (this.joinsAhead === 0) this.consumer.resume(at);
  }

  pause(at: readonly TopicPartition[]): void {
    if (this.joinsAhead === 0) this.consumer.pause(at);
  }
}
