/** The port's group consumer: tasks from the assignment, positions from the runtime alone. */
import { SluiceError } from "@sluice/errors";
import type {
  CommittedOffset,
  GroupConsumer,
  GroupHandlers,
  GroupOptions,
  TopicPartition,
} from "@sluice/runtime";
import type { ConnectionSettings } from "./client.ts";
import { assignMembers, encodeClaim, partitionsOf, protocolName, taskTopics } from "./group-protocol.ts";
import type { InternalCluster } from "./internals.ts";
import { Reader } from "./reader.ts";
import type { Joined } from "./reader.ts";
import { Tenures } from "../tenures.ts";
import { retrying, type Retries } from "./waits.ts";

const startRetries: Retries = { firstDelayMs: 50, delayMsMax: 1_000, limitMs: 60_000 };

export class KafkajsGroupConsumer implements GroupConsumer {
  readonly #settings: ConnectionSettings;
  readonly #options: GroupOptions;
  readonly #onClosed: () => void;
  readonly tenures: Tenures;
  #reader: Reader | null = null;

  constructor(settings: ConnectionSettings, options: GroupOptions, onClosed: () => void) {
    this.#settings = settings;
    this.#options = options;
    this.#onClosed = onClosed;
    this.tenures = new Tenures(() => performance.now(), options.sessionTimeoutMs);
  }

  async start(handlers: GroupHandlers): Promise<void> {
    if (this.#reader !== null) throw new Error("the group consumer was started before");
    const options = this.#options;
    const reader = new Reader(
      this.#settings,
      {
        groupId: options.group,
        topics: [...taskTopics(options), ...options.tables],
        assignment: null,
        assigner: (cluster) => ({
          name: protocolName,
          version: 1,
          assign: async ({ members }) =>
            assignMembers(members, options, (topic) => partitionsOf(cluster, topic)),
          protocol: ({ topics }) => ({ name: protocolName, metadata: encodeClaim(topics, options.claim()) }),
        }),
        sessionTimeoutMs: options.sessionTimeoutMs,
        heartbeatIntervalMs: options.heartbeatIntervalMs,
        rebalanceTimeoutMs: options.rebalanceTimeoutMs,
        partitionBytesMax: options.partitionBytesMax,
        check: (cluster) => this.#check(cluster),
      },
      {
        ...handlers,
        onJoined: (joined) => {
          const join = this.#joinOf(joined);
          this.tenures.joined(join);
          handlers.onJoined(join);
        },
        onHeartbeat: () => {
          this.tenures.heard();
          handlers.onHeartbeat();
        },
      },
    );
    this.#reader = reader;
    try {
      // Right after topics were made, or a broker came back, leaders and coordinators are not there yet.
      await retrying(startRetries, () => reader.open());
    } catch (error) {
      this.#reader = null;
      throw error;
    }
  }

  seek(at: TopicPartition, offset: number): void {
    this.#reader?.seek(at, offset);
  }

  pause(partitions: readonly TopicPartition[]): void {
    this.#reader?.pause(partitions);
  }

  resume(partitions: readonly TopicPartition[]): void {
    this.#reader?.resume(partitions);
  }

  /** Without a transaction; for the mode that has none. */
  async commitOffsets(offsets: readonly CommittedOffset[]): Promise<void> {
    if (this.#reader === null) throw new Error("the group consumer has not started");
    await this.#reader.commitOffsets(offsets);
  }

  async stop(): Promise<void> {
    this.#onClosed();
    await this.#reader?.close();
  }

  close(): Promise<void> {
    return this.stop();
  }

  destroy(): void {
    this.#reader?.destroy();
  }

  #joinOf({ memberId, generation, assigned }: Joined): Parameters<GroupHandlers["onJoined"]>[0] {
    const [first] = taskTopics(this.#options);
    const tasks = assigned.find(({ topic }) => topic === first)?.partitions ?? [];
    return { memberId, generation, tasks: [...tasks].sort((a, b) => a - b) };
  }

  #check(cluster: InternalCluster): void {
    for (const topic of taskTopics(this.#options)) {
      const found = partitionsOf(cluster, topic).length;
      if (found !== this.#options.tasks) {
        throw new SluiceError(
          "SLUICE_TOPIC_DRIFT",
          `${topic} has ${found} partitions; its group has ${this.#options.tasks} tasks`,
        );
      }
    }
  }
}
