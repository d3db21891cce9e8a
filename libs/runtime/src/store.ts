import { MemoryEntries, MemoryScratch, type LoadedEntries, type Scratch } from "@sluice/topology";

/** Offsets of inputs that were committed together with what a store holds, by topic without prefix. */
export type InputOffsets = Readonly<Record<string, number>>;

/**
 * Durable state of one task, as the runtime keeps it between steps: values are JSON text. It holds what was
 * committed and nothing else, together with the changelog offset up to which it holds it.
 */
export interface TaskStore extends LoadedEntries<string> {
  /** Next changelog offset that this store does not hold yet. */
  readonly nextOffset: number;
  /** The least that the inputs' committed offsets can be, if the log is still the one this came from. */
  readonly inputs: InputOffsets;
  readonly size: number;
  /** Applies committed changes (null deletes) and moves to `nextOffset`, both or neither. */
  apply(changes: Iterable<readonly [string, string | null]>, nextOffset: number, inputs?: InputOffsets): void;
  /**
   * What was applied so far outlives the process from now on. The changelog was read to its end, and up to
   * `asOfMs` (epoch milliseconds) nobody else had the task.
   */
  checkpoint(asOfMs: number): void;
  /** When that was last done, in epoch milliseconds; null: not since it was opened. */
  readonly checkpointAtMs: number | null;
  /** Room for a state that is loaded; what the one before it had is gone. */
  scratch(): Scratch;
  /** Forgets everything: the changelog is another one now. */
  clear(): void;
  /** The task leaves. `asOfMs` as for `checkpoint`; null: the changelog was not read to its end. */
  close(asOfMs: number | null): void;
}

export interface StateStores {
  open(task: number, nowMs: number): TaskStore;
  /** Tasks whose state is held here and could be continued without reading the whole changelog. */
  held(): readonly number[];
  /** The process ends. */
  close(): void;
}

/**
 * How long the state of a task that left is kept. Well below `delete.retention.ms` (a day unless set): later
 * the changelog's tail may lack the tombstone of an entry that is deleted, and the entry would be alive again.
 */
export const keptMs = 12 * 3_600_000;

class MemoryStore extends MemoryEntries<string> implements TaskStore {
  #nextOffset = 0;
  #inputs: InputOffsets = {};
  #asOfMs: number | null = null;
  #isOpen = true;
  readonly checkpointAtMs = null;

  get nextOffset(): number {
    return this.#nextOffset;
  }

  get inputs(): InputOffsets {
    return this.#inputs;
  }

  get size(): number {
    return this.map.size;
  }

  apply(
    changes: Iterable<readonly [string, string | null]>,
    nextOffset: number,
    inputs?: InputOffsets,
  ): void {
    for (const [key, value] of changes) {
      if (value === null) this.map.delete(key);
      else this.map.set(key, value);
    }
    this.#nextOffset = nextOffset;
    if (inputs !== undefined) this.#inputs = { ...this.#inputs, ...inputs };
  }

  checkpoint(asOfMs: number): void {
    this.#asOfMs = asOfMs;
  }

  scratch(): Scratch {
    return new MemoryScratch();
  }

  clear(): void {
    this.map.clear();
    this.#nextOffset = 0;
    this.#inputs = {};
    this.#asOfMs = null;
  }

  open(): void {
    this.#isOpen = true;
  }

  /** Kept for a while: the task may come back to this instance, and then only the changelog's tail is read. */
  close(asOfMs: number | null): void {
    this.#isOpen = false;
    if (asOfMs !== null) this.#asOfMs = asOfMs;
  }

  isOutdated(nowMs: number): boolean {
    return !this.#isOpen && (this.#asOfMs === null || nowMs - this.#asOfMs > keptMs);
  }
}

/**
 * State in memory, rebuilt from the changelog after a restart. A task that leaves and soon comes back finds
 * its state again, which is right as long as only committed changes were applied.
 */
export function memoryStores(): StateStores {
  const stores = new Map<number, MemoryStore>();
  return {
    open: (task, nowMs) => {
      for (const [number, store] of stores) if (store.isOutdated(nowMs)) stores.delete(number);
      const known = stores.get(task) ?? new MemoryStore();
      stores.set(task, known);
      known.open();
      return known;
    },
    held: () => [...stores.keys()],
    close: () => undefined,
  };
}
