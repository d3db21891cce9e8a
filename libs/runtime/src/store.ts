/**
 * Durable state of tasks, as the runtime keeps it between steps. It holds what was committed and nothing
 * else, together with the changelog offset up to which it holds it.
 */
export interface TaskStore {
  /** Next changelog offset that this store does not hold yet. */
  readonly nextOffset: number;
  readonly size: number;
  /** All entries: key, and value as JSON text. */
  entries(): Iterable<readonly [string, string]>;
  /** Applies committed changes (null deletes) and moves to `nextOffset`, both or neither. */
  apply(changes: Iterable<readonly [string, string | null]>, nextOffset: number): void;
  /** Forgets everything: the changelog is another one now. */
  clear(): void;
  /** The task leaves; up to `asOfMs` (epoch milliseconds) nobody else had it. */
  close(asOfMs: number): void;
}

export interface StateStores {
  open(task: number, nowMs: number): TaskStore;
  /** Tasks whose state is held here and could be continued without reading the whole changelog. */
  held(): readonly number[];
}

/**
 * How long the state of a task that left is kept. Well below `delete.retention.ms` (a day unless set): later
 * the changelog's tail may lack the tombstone of an entry that is deleted, and the entry would be alive again.
 */
const keptMs = 3_600_000;

class MemoryStore implements TaskStore {
  readonly #entries = new Map<string, string>();
  #nextOffset = 0;
  #closedAsOfMs: number | null = null;

  get nextOffset(): number {
    return this.#nextOffset;
  }

  get size(): number {
    return this.#entries.size;
  }

  entries(): Iterable<readonly [string, string]> {
    return this.#entries.entries();
  }

  apply(changes: Iterable<readonly [string, string | null]>, nextOffset: number): void {
    for (const [key, value] of changes) {
      if (value === null) this.#entries.delete(key);
      else this.#entries.set(key, value);
    }
    this.#nextOffset = nextOffset;
  }

  clear(): void {
    this.#entries.clear();
    this.#nextOffset = 0;
  }

  open(): void {
    this.#closedAsOfMs = null;
  }

  /** Kept for a while: the task may come back to this instance, and then only the changelog's tail is read. */
  close(asOfMs: number): void {
    this.#closedAsOfMs = asOfMs;
  }

  isOutdated(nowMs: number): boolean {
    return this.#closedAsOfMs !== null && nowMs - this.#closedAsOfMs > keptMs;
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
  };
}
