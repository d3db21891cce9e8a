/** One kafkajs consumer from its start to its crash or stop, with everything that hooks into it. */
import type { Consumer, PartitionAssigner } from "kafkajs";
import { briefRetry, openClient } from "./client.ts";
import type { Client, ConnectionSettings } from "./client.ts";
import type { InternalBatch, InternalCluster, InternalGroup, TopicPartitions } from "./internals.ts";
import { hookReader } from "./patches.ts";
import type { ReaderHooks } from "./patches.ts";
import { within } from "./waits.ts";

export interface SessionOptions {
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

/** None is called once the session is over. */
export interface SessionEvents {
  /** The assignment has changed; every partition of it is paused and no seek is pending. */
  readonly onAssigned: () => void;
  readonly onJoined: (group: InternalGroup) => void;
  readonly onRebalancing: () => void;
  readonly onHeartbeat: () => void;
  readonly onFetched: (fetched: InternalBatch, resolveOffset: (offset: string) => void) => void;
  readonly onOutOfRange: ReaderHooks["onOutOfRange"];
  /** The consumer has ended by itself. */
  readonly onCrashed: (error: unknown) => void;
}

/** How long a fetch may wait at the broker, and so how late a heartbeat, a seek or a resume may be. */
const fetchWaitMs = 100;
const fetchBytesMax = 32 * 1024 * 1024;
const joinWaitMs = 3_000;
const stopWaitMs = 5_000;

export class Session {
  readonly #client: Client;
  readonly #options: SessionOptions;
  readonly #events: SessionEvents;
  readonly #consumer: Consumer;
  #memberId: string | null;
  #cluster: InternalCluster | null = null;
  #group: InternalGroup | null = null;
  #joining: Promise<unknown> = Promise.resolve();
  #joined = false;
  #over = false;

  /** `memberId` of the session before: the group then has its member back at once. */
  constructor(
    settings: ConnectionSettings,
    options: SessionOptions,
    memberId: string | null,
    events: SessionEvents,
  ) {
    this.#client = openClient(settings, briefRetry);
    this.#options = options;
    this.#memberId = memberId;
    this.#events = events;
    this.#consumer = this.#makeConsumer();
  }

  /** The group to seek, pause and resume in; null while there is no assignment. */
  get group(): InternalGroup | null {
    return this.#joined && !this.#over ? this.#group : null;
  }

  async open(): Promise<void> {
    await this.#consumer.subscribe({ topics: [...this.#options.topics], fromBeginning: true });
    if (this.#cluster !== null) this.#options.check(this.#cluster);
    // Closed meanwhile: a consumer that runs now would join a group that nobody leaves.
    if (this.#over) throw new Error("the reader was closed");
    // Not awaited: it settles with the first join, or with the crash, which has its own event.
    this.#consumer
      .run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        eachBatch: async ({ batch, resolveOffset }) =>
          this.#tell(() => this.#events.onFetched(batch as unknown as InternalBatch, resolveOffset)),
      })
      .catch((error: unknown) => this.#tell(() => this.#events.onCrashed(error)));
  }

  /** Leaves the group, if in one. */
  async close(): Promise<void> {
    this.#over = true;
    // A consumer that is disconnected amid its join would join all the same, and keep its tasks.
    await within(joinWaitMs, "the join", this.#joining).catch(() => undefined);
    await within(stopWaitMs, "the consumer's stop", this.#consumer.disconnect()).catch(() => undefined);
    this.#client.destroy();
  }

  destroy(): void {
    this.#over = true;
    this.#client.destroy();
  }

  #tell(event: () => void): void {
    if (!this.#over) event();
  }

  #makeConsumer(): Consumer {
    const options = this.#options;
    const consumer = this.#client.kafka.consumer({
      groupId: options.groupId,
      partitionAssigners: [
        ({ cluster }) => {
          this.#cluster = cluster as unknown as InternalCluster;
          hookReader(cluster, this.#hooks());
          return options.assigner(this.#cluster);
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
    consumer.on(consumer.events.GROUP_JOIN, () => {
      if (this.#group !== null) this.#join(this.#group);
    });
    consumer.on(consumer.events.HEARTBEAT, () => this.#tell(this.#events.onHeartbeat));
    consumer.on(consumer.events.CRASH, ({ payload }) =>
      this.#tell(() => this.#events.onCrashed(payload.error)),
    );
    return consumer;
  }

  #hooks(): ReaderHooks {
    const { assignment } = this.#options;
    return {
      assignment,
      onGroup: (group) => {
        this.#group = group;
        if (assignment === null) group.memberId ??= this.#memberId;
        const state = group.subscriptionState;
        const assign = state.assign.bind(state);
        // In one go with the assignment, so that no fetch can come between.
        state.assign = (assigned) => {
          assign(assigned);
          state.pause(assigned);
          group.seekOffset.clear();
          this.#tell(this.#events.onAssigned);
        };
      },
      onJoining: (done) => {
        this.#joining = done.catch(() => undefined);
        if (this.#joined) this.#tell(this.#events.onRebalancing);
      },
      onAssigned: (group) => this.#join(group),
      onOutOfRange: (...given) => this.#tell(() => this.#events.onOutOfRange(...given)),
    };
  }

  #join(group: InternalGroup): void {
    this.#joined = true;
    // kafkajs asks for committed offsets, and falls back to the log's ends, where it finds none of these.
    const committed = group.cluster.committedOffsets({ groupId: group.groupId });
    for (const { topic, partitions } of group.subscriptionState.assigned()) {
      committed[topic] = Object.fromEntries(partitions.map((partition) => [partition, "0"]));
    }
    this.#tell(() => this.#events.onJoined(group));
  }
}
