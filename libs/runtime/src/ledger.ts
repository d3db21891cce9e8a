/** What may be committed of one topic partition whose records finish in any order. */

import { decodeOffsetMap, encodeOffsetMap } from "./offset-map.ts";
import type { EncodedOffsetMap } from "./offset-map.ts";

/** Next offset to read, and the map of completed offsets above it. */
export interface Committable {
  readonly offset: number;
  readonly metadata: string;
}

export type Begun = "new" | "done" | "duplicate";

/**
 * The ledger of one partition in one epoch. The reader passes offsets in ascending order; whatever lies
 * below its position and is not unfinished counts as done, so holes in the log need no care.
 *
 * Memory is that of the records begun above the committable offset, not of the span of offsets.
 */
export class OffsetLedger {
  readonly #startOffset: number;
  #nextOffset: number;
  /** Offsets begun in this epoch, ascending; those before `#head` are finished. */
  #begun: number[] = [];
  #head = 0;
  readonly #unfinished = new Set<number>();
  /** Ranges completed before the restart; those before `#restoredHead` lie below the reader. */
  readonly #restored: readonly number[];
  #restoredHead = 0;
  #current: (Committable & EncodedOffsetMap) | null = null;
  #dirty: boolean;

  /**
   * @param committed what the group had committed, null where nothing was; its metadata may be anything.
   * @param startOffset where the reader starts if nothing was committed; ignored otherwise.
   */
  constructor(committed: Committable | null, startOffset: number) {
    this.#startOffset = committed?.offset ?? startOffset;
    this.#nextOffset = this.#startOffset;
    this.#restored = committed === null ? [] : decodeOffsetMap(committed.offset, committed.metadata);
    // Tools for lag want an offset of every partition from the first assignment on.
    this.#dirty = committed === null;
  }

  /** The reader's position: everything below was begun, done before, or a hole. */
  get nextOffset(): number {
    return this.#nextOffset;
  }

  /** Records begun and not finished. */
  get unfinished(): number {
    return this.#unfinished.size;
  }

  /** Offsets between the committable one and the reader's position. */
  get span(): number {
    return this.#nextOffset - this.#lowest();
  }

  /**
   * Share of the commit's metadata that the map needs, 0..1; at 1 some completed records would be repeated
   * after a restart. After a change it costs one encoding: to be asked once a commit, not once a record.
   */
  get mapFill(): number {
    return this.#encoded().fill;
  }

  /** Something moved since `committable` was last called, or nothing was ever committed. */
  get dirty(): boolean {
    return this.#dirty;
  }

  /**
   * The reader met a record. "new": to be worked on, then `finish`; "done": completed before the restart,
   * to be skipped; "duplicate": the reader had passed it in this epoch already, to be ignored.
   */
  begin(offset: number): Begun {
    if (offset < this.#nextOffset) return offset < this.#startOffset ? "done" : "duplicate";
    if (this.#isRestored(offset)) {
      this.advance(offset + 1);
      return "done";
    }
    this.advance(offset);
    // Nothing to commit changes here: the offset was not completed before and is not now.
    this.#nextOffset = offset + 1;
    this.#begun.push(offset);
    this.#unfinished.add(offset);
    return "new";
  }

  /** The record is done for good. Throws where it was never begun, or is finished already. */
  finish(offset: number): void {
    if (!this.#unfinished.delete(offset)) {
      throw new Error(`offset ${offset} is not unfinished: never begun, or finished twice`);
    }
    this.#changed();
  }

  /** The reader has passed everything below `nextOffset`. A lower one than before means nothing. */
  advance(nextOffset: number): void {
    if (nextOffset <= this.#nextOffset) return;
    this.#nextOffset = nextOffset;
    this.#changed();
  }

  /** The highest offset that may be committed now, with the map of what is completed above it. */
  committable(): Committable {
    this.#dirty = false;
    const { offset, metadata } = this.#encoded();
    return { offset, metadata };
  }

  /** A commit now would differ from `lastCommitted`. */
  changedSince(lastCommitted: Committable | null): boolean {
    if (lastCommitted === null) return true;
    const { offset, metadata } = this.#encoded();
    return offset !== lastCommitted.offset || metadata !== lastCommitted.metadata;
  }

  #changed(): void {
    this.#current = null;
    this.#dirty = true;
  }

  /** The lowest unfinished offset, or the reader's position. Amortised O(1): the head only moves on. */
  #lowest(): number {
    for (; this.#head < this.#begun.length; this.#head++) {
      const offset = this.#begun[this.#head];
      if (offset === undefined || !this.#unfinished.has(offset)) continue;
      if (this.#head >= 1024 && this.#head * 2 >= this.#begun.length) {
        this.#begun = this.#begun.slice(this.#head);
        this.#head = 0;
      }
      return offset;
    }
    if (this.#head > 0) this.#begun = [];
    this.#head = 0;
    return this.#nextOffset;
  }

  #encoded(): Committable & EncodedOffsetMap {
    if (this.#current === null) {
      const offset = this.#lowest();
      this.#current = { offset, ...encodeOffsetMap(offset, this.#doneAbove(offset)) };
    }
    return this.#current;
  }

  /** Completed ranges from `lowest` on: those of this epoch, then what the restored map knows ahead. */
  #doneAbove(lowest: number): readonly number[] {
    const edges: number[] = [];
    let from = lowest;
    for (let index = this.#head; index < this.#begun.length; index++) {
      const offset = this.#begun[index];
      if (offset === undefined || !this.#unfinished.has(offset)) continue;
      if (offset > from) edges.push(from, offset);
      from = offset + 1;
    }
    if (this.#nextOffset > from) edges.push(from, this.#nextOffset);
    this.#passRestored();
    for (let index = this.#restoredHead; index + 1 < this.#restored.length; index += 2) {
      const start = Math.max(this.#restored[index] ?? 0, this.#nextOffset);
      const end = this.#restored[index + 1] ?? start;
      if (edges.at(-1) === start) edges[edges.length - 1] = end;
      else edges.push(start, end);
    }
    return edges;
  }

  #isRestored(offset: number): boolean {
    this.#passRestored();
    let index = this.#restoredHead;
    while (index + 1 < this.#restored.length && (this.#restored[index + 1] ?? 0) <= offset) {
      index += 2;
    }
    return index + 1 < this.#restored.length && (this.#restored[index] ?? 0) <= offset;
  }

  #passRestored(): void {
    while (
      this.#restoredHead + 1 < this.#restored.length &&
      (this.#restored[this.#restoredHead + 1] ?? 0) <= this.#nextOffset
    ) {
      this.#restoredHead += 2;
    }
  }
}
