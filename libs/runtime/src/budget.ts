/** Which partitions are to be paused, and why. */

import type { TopicPartition } from "./broker.ts";
import { PauseTimes } from "./pause-times.ts";

/** Limits of one partition: paused from high on, resumed at low. */
export interface PartitionLimits {
  readonly recordsHigh: number;
  readonly recordsLow: number;
  readonly bytesHigh: number;
  readonly bytesLow: number;
}

/** Reasons the budget knows by itself; the named ones come from `hold`. */
type Counted = "records" | "bytes";
export type HoldReason = "restoring" | "downstream" | "offset_map" | "span" | "draining" | (string & {});

export interface PauseChanges {
  readonly pause: TopicPartition[];
  readonly resume: TopicPartition[];
}

interface Held {
  readonly at: TopicPartition;
  records: number;
  bytes: number;
  readonly reasons: Set<string>;
  /** What the consumer was last told. */
  paused: boolean;
}

const counted: ReadonlySet<string> = new Set<Counted>(["records", "bytes"]);

/**
 * Counts held records and bytes of each partition, with hysteresis, beside any number of named holds. A
 * partition is to be paused while any reason stands. Batches that were fetched before the pause still count.
 */
export class PartitionBudget {
  readonly #limits: PartitionLimits;
  readonly #partitions = new Map<string, Held>();
  /** Partitions whose reasons were touched since `changes` was last called. */
  readonly #touched = new Set<Held>();
  readonly #times: PauseTimes;
  #heldRecords = 0;
  #heldBytes = 0;

  /** Throws where a low mark is not below its high mark. */
  constructor(limits: PartitionLimits, monotonicMs: () => number) {
    if (!(limits.recordsLow >= 0 && limits.recordsLow < limits.recordsHigh)) {
      throw new RangeError("recordsLow has to be below recordsHigh");
    }
    if (!(limits.bytesLow >= 0 && limits.bytesLow < limits.bytesHigh)) {
      throw new RangeError("bytesLow has to be below bytesHigh");
    }
    this.#limits = limits;
    this.#times = new PauseTimes(monotonicMs);
  }

  /** Records held, of all partitions. */
  get heldRecords(): number {
    return this.#heldRecords;
  }

  /** Bytes held, of all partitions. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Records of `bytes` bytes altogether were read. */
  add(at: TopicPartition, records: number, bytes: number): void {
    this.#count(this.#of(at), records, bytes);
  }

  /** Records are finished. Throws where more is given back than is held. */
  remove(at: TopicPartition, records: number, bytes: number): void {
    const held = this.#partitions.get(keyOf(at));
    if (held === undefined || held.records < records || held.bytes < bytes) {
      throw new Error(`${keyOf(at)} does not hold ${records} records of ${bytes} bytes`);
    }
    this.#count(held, -records, -bytes);
  }

  /** Pauses the partition until the same reason is released, however often it was held. */
  hold(at: TopicPartition, reason: HoldReason): void {
    this.#set(this.#of(at), named(reason), true);
  }

  /** Takes the reason away; nothing happens where it does not stand. */
  release(at: TopicPartition, reason: HoldReason): void {
    const held = this.#partitions.get(keyOf(at));
    if (held !== undefined) this.#set(held, named(reason), false);
  }

  /** What to tell the consumer since the last call: each partition at most once. */
  changes(): PauseChanges {
    const changes: PauseChanges = { pause: [], resume: [] };
    for (const held of this.#touched) {
      const paused = held.reasons.size > 0;
      if (paused === held.paused) continue;
      held.paused = paused;
      (paused ? changes.pause : changes.resume).push(held.at);
    }
    this.#touched.clear();
    return changes;
  }

  /** The partition is ours no more: what it held is forgotten, and nothing is said about it. */
  drop(at: TopicPartition): void {
    const held = this.#partitions.get(keyOf(at));
    if (held === undefined) return;
    this.#partitions.delete(keyOf(at));
    this.#touched.delete(held);
    for (const reason of held.reasons) this.#times.change(reason, -1);
    this.#heldRecords -= held.records;
    this.#heldBytes -= held.bytes;
  }

  /**
   * The consumer has paused the partition by itself, as it does inside a join. What is held and why stays;
   * where no reason stands, the next `changes` resumes it.
   */
  reset(at: TopicPartition): void {
    const held = this.#of(at);
    held.paused = true;
    this.#touched.add(held);
  }

  /** Why the partition is to be paused; empty where it is not. */
  reasonsOf(at: TopicPartition): readonly string[] {
    return [...(this.#partitions.get(keyOf(at))?.reasons ?? [])];
  }

  /** Partitions by reason; one with two reasons counts for both. */
  pausedByReason(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const { reasons } of this.#partitions.values()) {
      for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
    }
    return counts;
  }

  /** How long partitions were paused, in milliseconds by reason, added up over partitions. */
  pausedMs(): ReadonlyMap<string, number> {
    return this.#times.totals();
  }

  #of(at: TopicPartition): Held {
    const key = keyOf(at);
    let held = this.#partitions.get(key);
    if (held === undefined) {
      held = {
        at: { topic: at.topic, partition: at.partition },
        records: 0,
        bytes: 0,
        reasons: new Set(),
        paused: false,
      };
      this.#partitions.set(key, held);
    }
    return held;
  }

  #count(held: Held, records: number, bytes: number): void {
    held.records += records;
    held.bytes += bytes;
    this.#heldRecords += records;
    this.#heldBytes += bytes;
    const { recordsHigh, recordsLow, bytesHigh, bytesLow } = this.#limits;
    if (held.records >= recordsHigh) this.#set(held, "records", true);
    else if (held.records <= recordsLow) this.#set(held, "records", false);
    if (held.bytes >= bytesHigh) this.#set(held, "bytes", true);
    else if (held.bytes <= bytesLow) this.#set(held, "bytes", false);
  }

  #set(held: Held, reason: string, stands: boolean): void {
    if (held.reasons.has(reason) === stands) return;
    if (stands) held.reasons.add(reason);
    else held.reasons.delete(reason);
    this.#times.change(reason, stands ? 1 : -1);
    this.#touched.add(held);
  }
}

/** Unambiguous: a topic's name can't contain a slash. */
function keyOf(at: TopicPartition): string {
  return `${at.topic}/${at.partition}`;
}

function named(reason: HoldReason): string {
  if (counted.has(reason)) throw new Error(`"${reason}" is set by counting, not by a hold`);
  return reason;
}
