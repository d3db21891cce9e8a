/**
 * One reading position a partition, on kafkajs consumers that are replaced as a whole when they crash.
 * Nothing is delivered but what continues the position that `seek` set, and nothing is committed.
 */
import { setTimeout as delay } from "node:timers/promises";
import { asError } from "@sluice/errors";
import type { Batch, CommittedOffset, TopicPartition } from "@sluice/runtime";
import { batchOf } from "./batches.ts";
import type { ConnectionSettings } from "./client.ts";
import { isFatal } from "./failures.ts";
import type { InternalBatch, InternalGroup, TopicPartitions } from "./internals.ts";
import { nextOffsetOf } from "./patches.ts";
import { Positions } from "./positions.ts";
import { Restarts } from "./restarts.ts";
import { Session } from "./session.ts";
import type { SessionOptions } from "./session.ts";

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

export class Reader {
  readonly #settings: ConnectionSettings;
  readonly #options: SessionOptions;
  readonly #handlers: ReaderHandlers;
  readonly #positions = new Positions();
  readonly #restarts = new Restarts();
  readonly #closing = new AbortController();
  #session: Session | null = null;
  /** The end of a dead session, or the wait for the next one. */
  #between: Promise<void> = Promise.resolve();
  #memberId: string | null = null;

  constructor(settings: ConnectionSettings, options: SessionOptions, handlers: ReaderHandlers) {
    this.#settings = settings;
    this.#options = options;
    this.#handlers = handlers;
  }

  /** Rejects where the broker can't be reached or the topics are wrong; later failures go to `onFailed`. */
  async open(): Promise<void> {
    const session = new Session(this.#settings, this.#options, this.#memberId, {
      onAssigned: () => this.#positions.clear(),
      onJoined: (group) => this.#guarded(() => this.#joined(group)),
      onRebalancing: () => this.#guarded(this.#handlers.onRebalancing),
      onHeartbeat: () => this.#guarded(this.#handlers.onHeartbeat),
      onFetched: (fetched, resolveOffset) => this.#fetched(fetched, resolveOffset),
      onOutOfRange: (topic, partition, oldOffset, newOffset) => {
        this.#settings.log("offset_out_of_range", { topic, partition, oldOffset, newOffset });
        this.#positions.jump({ topic, partition }, oldOffset, newOffset);
      },
      onCrashed: (error) => this.#crashed(asError(error)),
    });
    this.#session = session;
    try {
      await session.open();
    } catch (error) {
      session.destroy();
      if (this.#session === session) this.#session = null;
      throw error;
    }
  }

  /** Has no effect while a crashed consumer is being replaced: the join that follows begins anew. */
  seek(at: TopicPartition, offset: number): void {
    const group = this.#session?.group;
    if (group === undefined || group === null) return;
    const assigned = group.subscriptionState.assigned().find(({ topic }) => topic === at.topic);
    if (assigned?.partitions.includes(at.partition) !== true) {
      throw new Error(`seek on ${at.topic}-${at.partition}, which is not assigned`);
    }
    this.#positions.set(at, offset);
    group.seekOffset.set(at.topic, at.partition, String(offset));
  }

  pause(partitions: readonly TopicPartition[]): void {
    this.#session?.group?.subscriptionState.pause(partitions.map(single));
  }

  resume(partitions: readonly TopicPartition[]): void {
    this.#session?.group?.subscriptionState.resume(partitions.map(single));
  }

  /** As the member that it is now; rejects where it is none, or the group has moved on without it. */
  async commitOffsets(offsets: readonly CommittedOffset[]): Promise<void> {
    const group = this.#session?.group;
    const { offsetManager = null, memberId = null, generationId = null } = group ?? {};
    if (
      group === undefined ||
      group === null ||
      offsetManager === null ||
      memberId === null ||
      generationId === null
    )
      throw new Error("not a member of the group now");
    const coordinator = await offsetManager.getCoordinator();
    await coordinator.offsetCommit({
      groupId: group.groupId,
      groupGenerationId: generationId,
      memberId,
      topics: offsets.map(({ topic, partition, offset, metadata }) => ({
        topic,
        partitions: [{ partition, offset: String(offset), metadata }],
      })),
    });
  }

  /** Leaves the group, if in one. No handler is called any more, from the first moment on. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all([this.#session?.close(), this.#between]);
    this.#session = null;
  }

  /** Ends without a word to the group, which notices when the session times out. */
  destroy(): void {
    this.#closing.abort();
    this.#session?.destroy();
    this.#session = null;
  }

  #joined(group: InternalGroup): void {
    this.#memberId = group.memberId;
    this.#handlers.onJoined({
      memberId: group.memberId ?? "",
      generation: group.generationId ?? 0,
      assigned: group.subscriptionState.assigned(),
    });
  }

  #fetched(fetched: InternalBatch, resolveOffset: (offset: string) => void): void {
    const group = this.#session?.group;
    const { topic, partition } = fetched;
    if (group === undefined || group === null) return;
    if (group.subscriptionState.isPaused(topic, partition) || group.seekOffset.has(topic, partition)) return;
    const position = this.#positions.get(fetched);
    const fetchOffset = Number(fetched.fetchedOffset);
    if (position !== undefined && position.fetchOffset !== fetchOffset) {
      group.seekOffset.set(topic, partition, String(position.fetchOffset));
      return;
    }
    const batch = batchOf(fetched, position?.fromOffset ?? fetchOffset);
    // Before the handler, whose seek would be undone otherwise.
    resolveOffset(String(batch.nextOffset - 1));
    this.#positions.set(fetched, nextOffsetOf(fetched));
    this.#guarded(() => this.#handlers.onBatch(batch));
  }

  /** A handler that throws is a bug above: the reader ends instead of leaving a gap behind it. */
  #guarded(handler: () => void): void {
    try {
      handler();
    } catch (error) {
      this.#end(asError(error));
    }
  }

  #crashed(error: Error): void {
    if (this.#closing.signal.aborted) return;
    const waitMs = isFatal(error) ? null : this.#restarts.next(error, performance.now());
    if (waitMs === null) return this.#end(error);
    this.#session?.destroy();
    this.#session = null;
    this.#between = this.#restart(waitMs);
    this.#guarded(() => this.#handlers.onFailed(error, true));
  }

  async #restart(waitMs: number): Promise<void> {
    try {
      await delay(waitMs, undefined, { signal: this.#closing.signal });
      await this.open();
    } catch (error) {
      this.#crashed(asError(error));
    }
  }

  #end(error: Error): void {
    const session = this.#session;
    this.#session = null;
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    this.#between = session?.close() ?? Promise.resolve();
    this.#handlers.onFailed(error, false);
  }
}

function single({ topic, partition }: TopicPartition): TopicPartitions {
  return { topic, partitions: [partition] };
}
