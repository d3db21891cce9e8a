import type { TaskStore } from "./store.ts";

/** Changes at once: a store takes them in several times faster by key than as they were written. */
const changesMax = 20_000;
/** Characters of keys and values at once: one value may have millions. */
const charsMax = 8_388_608;

/** What was read of a changelog and is not in the store yet: the last that it says of each key. */
export class RestoreBuffer {
  readonly #store: TaskStore;
  #changes = new Map<string, string | null>();
  #chars = 0;
  #nextOffset: number | null = null;

  constructor(store: TaskStore) {
    this.#store = store;
  }

  /** @param nextOffset where the changelog goes on */
  add(changes: Iterable<readonly [string, string | null]>, nextOffset: number): void {
    for (const [key, value] of changes) {
      this.#changes.set(key, value);
      this.#chars += key.length + (value?.length ?? 0);
    }
    this.#nextOffset = nextOffset;
    if (this.#changes.size >= changesMax || this.#chars >= charsMax) this.flush();
  }

  /** The store has all of it. */
  flush(): void {
    if (this.#nextOffset === null) return;
    const sorted = [...this.#changes].sort(([one], [other]) => (one < other ? -1 : 1));
    this.#store.apply(sorted, this.#nextOffset);
    this.#changes = new Map();
    this.#chars = 0;
    this.#nextOffset = null;
  }
}
