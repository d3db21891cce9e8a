import { decodeRecord } from "@sluice/records";
import type { Batch } from "./broker.ts";

interface PartitionState {
  position: number;
  /** Where the partition ended when reading began: reached, the table is as new as the start of the process. */
  target: number;
}

/**
 * A compacted topic that every instance reads whole: key to newest value. Its offsets are never committed.
 * A record that does not match its schema is left out and reported; it never replaces a good one.
 */
export class Table {
  readonly topic: string;
  readonly entries = new Map<string, unknown>();
  readonly #partitions = new Map<number, PartitionState>();
  readonly #onPoison: (reason: string, partition: number, offset: number) => void;

  constructor(topic: string, onPoison: (reason: string, partition: number, offset: number) => void) {
    this.topic = topic;
    this.#onPoison = onPoison;
  }

  get known(): boolean {
    return this.#partitions.size > 0;
  }

  /** True once everything that was there at the start has been read. */
  get ready(): boolean {
    for (const each of this.#partitions.values()) if (each.position < each.target) return false;
    return this.known;
  }

  begin(watermarks: readonly { readonly low: number; readonly high: number }[]): void {
    for (const [partition, { low, high }] of watermarks.entries()) {
      this.#partitions.set(partition, { position: low, target: high });
    }
  }

  positions(): readonly (readonly [number, number])[] {
    return [...this.#partitions].map(([partition, { position }]) => [partition, position] as const);
  }

  /** Applies a batch; returns the keys that changed, each once, or null where it is not the next one. */
  apply(batch: Batch): readonly string[] | null {
    const state = this.#partitions.get(batch.partition);
    if (state === undefined || batch.fromOffset !== state.position) return null;
    const changed = new Set<string>();
    for (const record of batch.records) {
      if (record.offset < state.position) continue;
      if (record.fault !== undefined) this.#onPoison(record.fault, batch.partition, record.offset);
      if (record.key === null) continue;
      const key = record.key.toString("utf8");
      const decoded = decodeRecord(this.topic, record.value);
      if (decoded.kind === "poison") {
        this.#onPoison(decoded.reason, batch.partition, record.offset);
        continue;
      }
      if (decoded.kind === "tombstone") this.entries.delete(key);
      else this.entries.set(key, decoded.value);
      changed.add(key);
    }
    state.position = batch.nextOffset;
    return [...changed];
  }
}
