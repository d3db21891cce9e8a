/**
 * One reading position a partition on top of a kafkajs consumer, which is replaced as a whole when it
 * crashes. Nothing is delivered but what continues the position that `seek` set, and nothing is committed.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Batch, TopicPartition } from "@sluice/runtime";
import type { Consumer, PartitionAssigner } from "kafkajs";
import { batchOf } from "./batches.ts";
import { briefRetry, openClient } from "./client.ts";
import type { Client, ConnectionSettings } from "./client.ts";
import { isFatal } from "./failures.ts";
import type { InternalBatch, InternalCluster, InternalGroup, TopicPartitions } from "./internals.ts";
import { hookReader, nextOffsetOf } from "./patches.ts";
import type { ReaderHooks } from "./patches.ts";
import { Positions } from "./positions.ts";
import { Restarts } from "./restarts.ts";
import { within } from "./waits.ts";

export interface ReaderOptions {
  readonly groupId: string;
  readonly topics: readonly string[];
  /** Partitions to read without a group; null joins `groupId`. */
  readonly assignment: readonly TopicPartitions[] | null;
  readonly assigner: (cluster: InternalCluster) => ReturnType<PartitionAssigner>;
  readonly sessionTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly partitionBytesMax: number;
  /** Throws where the topics are not as the reader needs them; called once they are known. */
  readonly check: (cluster: InternalCluster) => void;
}

export interface Joined {
  readonly memberId: string;
  readonly generation: number;
  readonly assigned: readonly TopicPartitions[];
}

export interface ReaderHandlers {
  readonly onJoined: (joined: Joined) => void;
  readonly onBatch: (batch: Batch) => void;
  readonly onHeartbeat: () => void;
  readonly onRebalancing: () => void;
  readonly onFailed: (error: Error, restarting: boolean) => void;
}

/** How long a fetch may wait at the broker, and so how late a heartbeat, a seek or a resume may be. */
const fetchWaitMs = 100;
const fetchBytesMax = 32 * 1024 * 1024;
const joinWaitMs = 3_000;
const stopWaitMs = 5_000;

/** A consumer from its start to its crash or stop. */
interface Session {
  readonly client: Client;
  consumer: Consumer | null;
  cluster: InternalCluster | null;
  group: InternalGroup | null;
  joining: Promise<unknown>;
  joined: boolean;
  over: boolean;
}

export class Reader {
  readonly #settings: ConnectionSettings;
  readonly #options: ReaderOptions;
  readonly #handlers: ReaderHandlers;
  readonly #positions = new Positions();
  readonly #restarts = new Restarts();
  readonly #closing = new AbortController();
  #session: Session | null = null;
  #restarting: Promise<void> = Promise.resolve();
  /** Kept over crashes: the group then has its member back at once instead of waiting for its end. */
  #memberId: string | null = null;

  constructor(settings: ConnectionSettings, options: ReaderOptions, handlers: ReaderHandlers) {
    this.#settings = settings;
    this.#options = options;
    this.#handlers = handlers;
  }

  /** Rejects where the broker can't be reached or the topics are wrong; later failures go to `onFailed`. */
  async open(): Promise<void> {
    const session: Session = {
      client: openClient(this.#settings, briefRetry),
      consumer: null,
      cluster: null,
      group: null,
      joining: Promise.resolve(),
      joined: false,
      over: false,
    };
    this.#session = session;
    try {
      const consumer = this.#consumerOf(session);
      await consumer.subscribe({ topics: [...this.#options.topics], fromBeginning: true });
      if (session.cluster !== null) this.#options.check(session.cluster);
      // Not awaited: it settles with the first join, or with the crash, which has its own event.
      consumer
        .run({
          autoCommit: false,
          eachBatchAutoResolve: false,
          eachBatch: async ({ batch, resolveOffset }) => {
            this.#deliver(session, batch as unknown as InternalBatch, resolveOffset);
          },
        })
        .catch((error: unknown) => this.#crashed(session, error));
    } catch (error) {
      session.over = true;
      session.client.destroy();
      throw error;
    }
  }

  seek(at: TopicPartition, offset: number): void {
    const group = this.#joinedGroup();
    if (group === null) return;
    const known = group.subscriptionState.assigned().find(({ topic }) => topic === at.topic);
    if (known?.partitions.includes(at.partition) !== true) {
      throw new Error(`seek on ${at.topic}-${at.partition}, which is not assigned`);
    }
    this.#positions.set(at, offset);
    group.seekOffset.set(at.topic, at.partition, String(offset));
  }

  pause(partitions: readonly TopicPartition[]): void {
    this.#joinedGroup()?.subscriptionState.pause(partitions.map(single));
  }

  resume(partitions: readonly TopicPartition[]): void {
    this.#joinedGroup()?.subscriptionState.resume(partitions.map(single));
  }

  /** Leaves the group, if in one. No handler is called any more, from the first moment on. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#restarting;
    const session = this.#session;
    this.#session = null;
    if (session === null) return;
    session.over = true;
    // A consumer that is disconnected amid its join would join all the same, and keep its tasks.
    await within(joinWaitMs, "the join", session.joining).catch(() => undefined);
    if (session.consumer !== null) {
      await within(stopWaitMs, "the consumer's stop", session.consumer.disconnect()).catch(() => undefined);
    }
    session.client.destroy();
  }

  /** Ends without a word to the group, which notices when the session times out. */
  destroy(): void {
    this.#closing.abort();
    if (this.#session === null) return;
    this.#session.over = true;
    this.#session.client.destroy();
    this.#session = null;
  }

  #joinedGroup(): InternalGroup | null {
    return this.#session?.joined === true ? this.#session.group : null;
  }

  #consumerOf(session: Session): Consumer {
    const options = this.#options;
    const hooks = this.#hooksOf(session);
    const consumer = session.client.kafka.consumer({
      groupId: options.groupId,
      partitionAssigners: [
        ({ cluster }) => {
          session.cluster = cluster as unknown as InternalCluster;
          hookReader(cluster, hooks);
          return options.assigner(session.cluster);
        },
      ],
      sessionTimeout: options.sessionTimeoutMs,
      heartbeatInterval: options.heartbeatIntervalMs,
      rebalanceTimeout: options.rebalanceTimeoutMs,
      maxWaitTimeInMs: fetchWaitMs,
      minBytes: 1,
      maxBytesPerPartition: options.partitionBytesMax,
      maxBytes: fetchBytesMax,
      allowAutoTopicCreation: false,
      retry: { ...briefRetry, restartOnFailure: async () => false },
    });
    session.consumer = consumer;
    consumer.on(consumer.events.GROUP_JOIN, () => {
      if (session.group !== null) this.#joined(session, session.group);
    });
    consumer.on(consumer.events.HEARTBEAT, () => {
      if (!session.over) this.#guarded(session, this.#handlers.onHeartbeat);
    });
    consumer.on(consumer.events.CRASH, ({ payload }) => this.#crashed(session, payload.error));
    return consumer;
  }

  #hooksOf(session: Session): ReaderHooks {
    return {
      assignment: this.#options.assignment,
      onGroup: (group) => {
        session.group = group;
        if (this.#options.assignment === null) group.memberId ??= this.#memberId;
        const state = group.subscriptionState;
        const assign = state.assign.bind(state);
        // In one go with the assignment, so that no fetch can come between.
        state.assign = (assignment) => {
          assign(assignment);
          state.pause(assignment);
          group.seekOffset.clear();
          this.#positions.clear();
        };
      },
      onJoining: (done) => {
        session.joining = done.catch(() => undefined);
        if (session.joined && !session.over) this.#guarded(session, this.#handlers.onRebalancing);
      },
      onAssigned: (group) => this.#joined(session, group),
      onOutOfRange: (topic, partition, oldOffset, newOffset) => {
        this.#settings.log("offset_out_of_range", { topic, partition, oldOffset, newOffset });
        this.#positions.jump({ topic, partition }, oldOffset, newOffset);
      },
    };
  }

  #joined(session: Session, group: InternalGroup): void {
    if (session.over) return;
    session.joined = true;
    this.#memberId = group.memberId;
    const assigned = group.subscriptionState.assigned();
    // kafkajs asks for committed offsets, and falls back to the log's ends, where it finds none of these.
    const committed = group.cluster.committedOffsets({ groupId: group.groupId });
    for (const { topic, partitions } of assigned) {
      committed[topic] = Object.fromEntries(partitions.map((partition) => [partition, "0"]));
    }
    const joined = { memberId: group.memberId ?? "", generation: group.generationId ?? 0, assigned };
    this.#guarded(session, () => this.#handlers.onJoined(joined));
  }

  #deliver(session: Session, fetched: InternalBatch, resolveOffset: (offset: string) => void): void {
    const { group } = session;
    const { topic, partition } = fetched;
    if (session.over || group === null) return;
    if (group.subscriptionState.isPaused(topic, partition) || group.seekOffset.has(topic, partition)) return;
    const position = this.#positions.get(fetched);
    if (position !== undefined && position.fetchOffset !== Number(fetched.fetchedOffset)) {
      group.seekOffset.set(topic, partition, String(position.fetchOffset));
      return;
    }
    const batch = batchOf(fetched, position?.fromOffset ?? Number(fetched.fetchedOffset));
    resolveOffset(String(batch.nextOffset - 1));
    this.#positions.set(fetched, nextOffsetOf(fetched));
    this.#guarded(session, () => this.#handlers.onBatch(batch));
  }

  /** A handler that throws is a bug above: the reader ends instead of leaving a gap behind it. */
  #guarded(session: Session, handler: () => void): void {
    try {
      handler();
    } catch (error) {
      this.#end(session, asError(error));
    }
  }

  #crashed(session: Session, cause: unknown): void {
    if (session.over || this.#closing.signal.aborted) return;
    const error = asError(cause);
    const waitMs = isFatal(error) ? null : this.#restarts.next(error, performance.now());
    if (waitMs === null) return this.#end(session, error);
    session.over = true;
    session.client.destroy();
    this.#restarting = this.#restart(waitMs);
    this.#guarded(session, () => this.#handlers.onFailed(error, true));
  }

  async #restart(waitMs: number): Promise<void> {
    try {
      await delay(waitMs, undefined, { signal: this.#closing.signal });
    } catch {
      return;
    }
    try {
      await this.open();
    } catch (error) {
      const failed = this.#session;
      if (failed === null) return;
      failed.over = false;
      this.#crashed(failed, error);
    }
  }

  #end(session: Session, error: Error): void {
    session.over = true;
    this.#session = null;
    const { consumer, client } = session;
    this.#restarting = within(stopWaitMs, "the consumer's stop", consumer?.disconnect() ?? Promise.resolve())
      .catch(() => undefined)
      .then(() => client.destroy());
    if (!this.#closing.signal.aborted) this.#handlers.onFailed(error, false);
  }
}

function single({ topic, partition }: TopicPartition): TopicPartitions {
  return { topic, partitions: [partition] };
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
