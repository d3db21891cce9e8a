/** The log of one partition: records, markers, open transactions, and what a read_committed reader sees. */
import type { BrokerRecord, TopicPartition } from "@sluice/runtime";

/** A transaction as one log knows it; it ends here when its marker is written here. */
interface LogTransaction {
  readonly firstOffset: number;
  outcome: "open" | "committed" | "aborted";
}

interface Entry {
  readonly offset: number;
  /** Null for a marker. */
  readonly record: BrokerRecord | null;
  readonly transaction: LogTransaction | null;
  readonly bytes: number;
}

export interface NewRecord {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly timestampMs: number;
}

export type LogRead =
  | { readonly kind: "out_of_range"; readonly low: number }
  | { readonly kind: "read"; readonly records: readonly BrokerRecord[]; readonly nextOffset: number };

/** What a record adds to a batch beside its key, value and headers: lengths, attributes, the batch's head. */
const recordOverheadBytes = 70;

export class PartitionLog implements TopicPartition {
  readonly topic: string;
  readonly partition: number;
  #entries: Entry[] = [];
  #low = 0;
  #next = 0;
  /** Keyed by whatever stands for the transaction at the coordinator. */
  readonly #open = new Map<object, LogTransaction>();
  readonly #watchers = new Set<() => void>();

  constructor(topic: string, partition: number) {
    this.topic = topic;
    this.partition = partition;
  }

  get low(): number {
    return this.#low;
  }

  /** The next offset to be written, open transactions included. */
  get highWatermark(): number {
    return this.#next;
  }

  /** Readers with read_committed stop here: at the first record of the oldest open transaction. */
  get lastStableOffset(): number {
    let offset = this.#next;
    for (const transaction of this.#open.values()) offset = Math.min(offset, transaction.firstOffset);
    return offset;
  }

  /** Appends and returns the last offset written. */
  append(records: readonly NewRecord[], owner: object | null): number {
    const transaction = owner === null ? null : this.#transactionOf(owner);
    for (const record of records) {
      const offset = this.#next++;
      this.#entries.push({ offset, record: { offset, ...record }, transaction, bytes: recordBytes(record) });
    }
    this.#changed();
    return this.#next - 1;
  }

  /** Puts records at offsets that they had elsewhere; the next one is written at `next`. Of an empty log. */
  restore(records: readonly BrokerRecord[], next: number): void {
    if (this.#next > 0) throw new Error(`${this.topic}/${this.partition} is not empty`);
    this.#entries = records.map((record) => ({
      offset: record.offset,
      record,
      transaction: null,
      bytes: recordBytes(record),
    }));
    this.#next = next;
  }

  /** Ends the owner's transaction here. The marker takes an offset. */
  writeMarker(owner: object, outcome: "committed" | "aborted"): void {
    const transaction = this.#transactionOf(owner);
    this.#open.delete(owner);
    transaction.outcome = outcome;
    this.#entries.push({ offset: this.#next++, record: null, transaction, bytes: 0 });
    this.#changed();
  }

  /** Reads with read_committed; at least one record even where it alone exceeds `bytesMax`. */
  read(from: number, bytesMax: number): LogRead {
    if (from < this.#low || from > this.#next) return { kind: "out_of_range", low: this.#low };
    const stable = this.lastStableOffset;
    const records: BrokerRecord[] = [];
    let bytes = 0;
    for (let i = this.#indexOf(from); i < this.#entries.length; i++) {
      const entry = this.#entries[i];
      if (entry === undefined || entry.offset >= stable) break;
      if (records.length > 0 && bytes + entry.bytes > bytesMax) {
        return { kind: "read", records, nextOffset: entry.offset };
      }
      bytes += entry.bytes;
      if (entry.record !== null && entry.transaction?.outcome !== "aborted") records.push(entry.record);
    }
    // Past the stable offset lies a reader whose "end" was taken while a transaction was open.
    return { kind: "read", records, nextOffset: Math.max(from, stable) };
  }

  /**
   * Keeps the last record of each key below the stable offset; aborted records and markers go too. The
   * log's last entry stays, as the active segment does, and so do tombstones unless told otherwise.
   */
  compact(dropTombstones: boolean): number {
    const stable = this.lastStableOffset;
    const kept: Entry[] = [];
    const seen = new Set<string>();
    for (let i = this.#entries.length - 1; i >= 0; i--) {
      const entry = this.#entries[i];
      if (entry !== undefined && (entry.offset >= stable || survives(entry, seen, dropTombstones))) {
        kept.push(entry);
      } else if (entry !== undefined && i === this.#entries.length - 1) {
        kept.push(entry);
      }
    }
    const removed = this.#entries.length - kept.length;
    this.#entries = kept.toReversed();
    return removed;
  }

  /** Retention: everything below `offset` goes, but nothing at or above the stable offset. */
  trim(offset: number): void {
    this.#low = Math.max(this.#low, Math.min(offset, this.lastStableOffset));
    this.#entries.splice(0, this.#indexOf(this.#low));
    this.#changed();
  }

  /** Calls after every change of what a reader could see. Returns how to end that. */
  watch(changed: () => void): () => void {
    this.#watchers.add(changed);
    return () => this.#watchers.delete(changed);
  }

  #transactionOf(owner: object): LogTransaction {
    const known = this.#open.get(owner);
    if (known !== undefined) return known;
    const begun: LogTransaction = { firstOffset: this.#next, outcome: "open" };
    this.#open.set(owner, begun);
    return begun;
  }

  /** Index of the first entry at or after the offset. */
  #indexOf(offset: number): number {
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#entries[middle]?.offset ?? offset) < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #changed(): void {
    for (const changed of this.#watchers) changed();
  }
}

/** Whether a stable entry is its key's last one, going from the end of the log to its start. */
function survives({ record, transaction }: Entry, seen: Set<string>, dropTombstones: boolean): boolean {
  if (record === null || transaction?.outcome === "aborted") return false;
  if (record.key === null) return true;
  const key = record.key.toString("latin1");
  if (seen.has(key)) return false;
  seen.add(key);
  return record.value !== null || !dropTombstones;
}

export function recordBytes(record: NewRecord): number {
  let bytes = recordOverheadBytes + (record.key?.length ?? 0) + (record.value?.length ?? 0);
  for (const [name, value] of Object.entries(record.headers)) {
    bytes += Buffer.byteLength(name) + Buffer.byteLength(value);
  }
  return bytes;
}
