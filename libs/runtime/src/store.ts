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
  close(): void;
}

export interface StateStores {
  open(task: number): TaskStore;
  /** Tasks whose state is held here and could be continued without reading the whole changelog. */
  held(): readonly number[];
}

class MemoryStore implements TaskStore {
  readonly #entries = new Map<string, string>();
  #nextOffset = 0;

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

  close(): void {
    // Kept: the task may come back to this instance, and then only the changelog's tail is read.
  }
}

/**
 * State in memory, rebuilt from the changelog after a restart. A task that leaves and comes back finds its
 * state again, which is right as long as only committed changes were applied.
 */
export function memoryStores(): StateStores {
  const stores = new Map<number, MemoryStore>();
  return {
    open: (task) => {
      const known = stores.get(task) ?? new MemoryStore();
      stores.set(task, known);
      return known;
    },
    held: () => [...stores.keys()],
  };
}
