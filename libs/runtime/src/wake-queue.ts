/** Which key is to be woken next: one deadline a key, any number of keys, one timer for all. */

interface Wake {
  readonly key: string;
  readonly atMs: number;
  /** Keeps the order of keys due at the same time that in which they were set. */
  readonly order: number;
}

/**
 * A binary heap of deadlines. Of several wakes for one key the earliest wins; a later one is ignored, since
 * whoever is woken early only looks and sets anew. Replaced and deleted entries stay in the heap until they
 * surface, and are swept out before they outnumber the live ones.
 */
export class WakeQueue {
  #heap: Wake[] = [];
  readonly #live = new Map<string, Wake>();
  #order = 0;

  /** Keys that wait. */
  get size(): number {
    return this.#live.size;
  }

  /** Entries in the heap, those no longer meant included. */
  get heapSize(): number {
    return this.#heap.length;
  }

  /** The earliest deadline, or null. */
  get nextAtMs(): number | null {
    return this.#first()?.atMs ?? null;
  }

  /** Wakes the key at `atMs`, or earlier where an earlier wake was set. Throws on NaN. */
  set(key: string, atMs: number): void {
    if (Number.isNaN(atMs)) throw new RangeError(`wake of ${key} at NaN`);
    const before = this.#live.get(key);
    if (before !== undefined && before.atMs <= atMs) return;
    const wake = { key, atMs, order: this.#order++ };
    this.#live.set(key, wake);
    this.#heap.push(wake);
    this.#up(this.#heap.length - 1);
    this.#sweep();
  }

  /** Takes out and returns the key that is due longest, or null where none is due at `nowMs`. */
  due(nowMs: number): string | null {
    const first = this.#first();
    if (first === undefined || first.atMs > nowMs) return null;
    this.#pop();
    this.#live.delete(first.key);
    this.#sweep();
    return first.key;
  }

  /** False where the key did not wait. */
  delete(key: string): boolean {
    const deleted = this.#live.delete(key);
    if (deleted) this.#sweep();
    return deleted;
  }

  #first(): Wake | undefined {
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined || this.#live.get(first.key) === first) return first;
      this.#pop();
    }
  }

  /** Linear in the live entries, which are by then fewer than the dead ones it clears away. */
  #sweep(): void {
    if (this.#heap.length <= 2 * this.#live.size + 16) return;
    this.#heap = [...this.#live.values()];
    for (let index = (this.#heap.length >>> 1) - 1; index >= 0; index--) this.#down(index);
  }

  #pop(): void {
    const last = this.#heap.pop();
    if (last === undefined || this.#heap.length === 0) return;
    this.#heap[0] = last;
    this.#down(0);
  }

  #up(start: number): void {
    let index = start;
    while (index > 0) {
      const parent = (index - 1) >>> 1;
      if (!this.#swapIfBefore(index, parent)) return;
      index = parent;
    }
  }

  #down(start: number): void {
    let index = start;
    for (;;) {
      const left = 2 * index + 1;
      if (left >= this.#heap.length) return;
      const right = left + 1;
      const child = right < this.#heap.length && this.#isBefore(right, left) ? right : left;
      if (!this.#swapIfBefore(child, index)) return;
      index = child;
    }
  }

  #swapIfBefore(a: number, b: number): boolean {
    if (!this.#isBefore(a, b)) return false;
    const one = this.#heap[a];
    const other = this.#heap[b];
    if (one === undefined || other === undefined) return false;
    this.#heap[a] = other;
    this.#heap[b] = one;
    return true;
  }

  #isBefore(a: number, b: number): boolean {
    const one = this.#heap[a];
    const other = this.#heap[b];
    if (one === undefined || other === undefined) return false;
    return one.atMs === other.atMs ? one.order < other.order : one.atMs < other.atMs;
  }
}
