import type { TaskStore } from "./store.ts";

/** Changes at once: a store takes them in several times faster by key than as they were written. */
const changesMax = 20_000;
/** Characters of keys and values at once: one value may have millions. */
const charsMax = 8_388_608;

/** What was read of a changelog and is not in the store yet. */
export class RestoreBuffer {
  readonly #store: TaskStore;
  #changes: (readonly [string, string | null])[] = [];
  #chars = 0;
  #nextOffset: number | null = null;

  constructor(store: TaskStore) {
    this.#store = store;
  }

  /** @param nextOffset where the changelog goes on */
  add(changes: Iterable<readonly [string, string | null]>, nextOffset: number): void {
    for (const change of changes) {
      const [key, value] = change;
      this.#changes.push(change);
      this.#chars += key.length + (value?.length ?? 0);
    }
    this.#nextOffset = nextOffset;
    if (this.#changes.length >= changesMax || this.#chars >= charsMax) this.flush();
  }

  /** The store has all of it. */
  flush(): void {
    if (this.#nextOffset === null) return;
    // Changes of one key stay in their order.
    const sorted = this.#changes.sort(([one], [other]) => (one < other ? -1 : one > other ? 1 : 0));
    const last = sorted.filter(([key], at) => key !== sorted[at + 1]?.[0]);
    this.#store.apply(last, this.#nextOffset);
    this.#changes = [];
    this.#chars = 0;
    this.#nextOffset = null;
  }
}
