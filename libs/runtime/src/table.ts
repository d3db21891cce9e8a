import { decodeRecord } from "@sluice/records";
import type { Batch, BrokerRecord } from "./broker.ts";

interface PartitionState {
  readonly low: number;
  /** The entries are those of the log up to here. */
  applied: number;
  /** Next offset to read; below `applied` where records are looked at once more for dead letters. */
  next: number;
  /** Where the partition ended when reading began: reached, the table is as new as the start of the process. */
  readonly target: number;
}

/** A record that does not match the schema of its topic. */
export interface PoisonRecord {
  readonly record: BrokerRecord;
  readonly reason: string;
  /** This process has not met it before. */
  readonly isNew: boolean;
}

export interface Applied {
  /** Keys that changed, each once. */
  readonly changed: readonly string[];
  readonly poison: readonly PoisonRecord[];
}

/**
 * A compacted topic that every instance reads whole: key to newest value. Its offsets say nothing of what was
 * read. A record that does not match its schema is left out and reported; it never replaces a good one.
 */
export class Table {
  readonly topic: string;
  readonly entries = new Map<string, unknown>();
  readonly #partitions = new Map<number, PartitionState>();

  constructor(topic: string) {
    this.topic = topic;
  }

  get known(): boolean {
    return this.#partitions.size > 0;
  }

  /** True once everything that was there at the start has been read. */
  get ready(): boolean {
    for (const each of this.#partitions.values()) if (each.applied < each.target) return false;
    return this.known;
  }

  begin(watermarks: readonly { readonly low: number; readonly high: number }[]): void {
    for (const [partition, { low, high }] of watermarks.entries()) {
      this.#partitions.set(partition, { low, applied: low, next: low, target: high });
    }
  }

  /** Where each partition is to be read next. */
  positions(): readonly (readonly [number, number])[] {
    return [...this.#partitions].map(([partition, { next }]) => [partition, next] as const);
  }

  /** Reads the partition again from that offset on, for its poison alone; null where it gets there anyway. */
  lookBack(partition: number, offset: number): number | null {
    const state = this.#partitions.get(partition);
    if (state === undefined) return null;
    const from = Math.max(offset, state.low);
    if (state.next <= from) return null;
    state.next = from;
    return from;
  }

  /** Applies a batch; null where it is not the next one. */
  apply(batch: Batch): Applied | null {
    const state = this.#partitions.get(batch.partition);
    if (state === undefined || batch.fromOffset !== state.next) return null;
    const changed = new Set<string>();
    const poison: PoisonRecord[] = [];
    for (const record of batch.records) {
      if (record.offset < state.next) continue;
      const isNew = record.offset >= state.applied;
      const decoded = record.fault === undefined ? decodeRecord(this.topic, record.value) : null;
      if (decoded === null || decoded.kind === "poison") {
        poison.push({ record, reason: decoded?.reason ?? record.fault ?? "", isNew });
        continue;
      }
      if (!isNew || record.key === null) continue;
      const key = record.key.toString("utf8");
      if (decoded.kind === "tombstone") this.entries.delete(key);
      else this.entries.set(key, decoded.value);
      changed.add(key);
    }
    state.next = batch.nextOffset;
    state.applied = Math.max(state.applied, batch.nextOffset);
    return { changed: [...changed], poison };
  }
}
