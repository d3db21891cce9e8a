/** Keys in a chunk, beyond which it is split. */
const chunkMax = 512;

/**
 * A map that can also be read in order of its keys (by UTF-16 code unit). The order is made at the first
 * ordered read and kept from then on, so that a map that is never read in order costs no more than a `Map`.
 */
export class OrderedMap<V> {
  readonly #values = new Map<string, V>();
  /** Every key, in order, in chunks of which none is empty; null until the first ordered read. */
  #chunks: string[][] | null = null;

  get size(): number {
    return this.#values.size;
  }

  get(key: string): V | undefined {
    return this.#values.get(key);
  }

  has(key: string): boolean {
    return this.#values.has(key);
  }

  set(key: string, value: V): void {
    if (this.#chunks !== null && !this.#values.has(key)) this.#insert(this.#chunks, key);
    this.#values.set(key, value);
  }

  delete(key: string): boolean {
    const deleted = this.#values.delete(key);
    if (deleted && this.#chunks !== null) this.#remove(this.#chunks, key);
    return deleted;
  }

  clear(): void {
    this.#values.clear();
    this.#chunks = null;
  }

  /** Entries in the order in which their keys were first set. */
  [Symbol.iterator](): IterableIterator<[string, V]> {
    return this.#values.entries();
  }

  /** Keys with the prefix, in order, beyond `after`. Ends undefined where the map is changed meanwhile. */
  *keys(prefix: string, after?: string): Generator<string, void, undefined> {
    const chunks = this.#ordered();
    const from = after === undefined || after < prefix ? prefix : after;
    let at = chunkOf(chunks, from);
    let index = lowerBound(chunks[at] ?? [], from);
    for (; at < chunks.length; at += 1, index = 0) {
      const chunk = chunks[at] ?? [];
      for (; index < chunk.length; index += 1) {
        const key = chunk[index] ?? "";
        if (key === after) continue;
        if (!key.startsWith(prefix)) return;
        yield key;
      }
    }
  }

  #ordered(): string[][] {
    if (this.#chunks !== null) return this.#chunks;
    const keys = [...this.#values.keys()].sort(byCodeUnit);
    const chunks: string[][] = [];
    for (let from = 0; from < keys.length; from += chunkMax / 2)
      chunks.push(keys.slice(from, from + chunkMax / 2));
    this.#chunks = chunks;
    return chunks;
  }

  #insert(chunks: string[][], key: string): void {
    const at = chunkOf(chunks, key);
    const chunk = chunks[at];
    if (chunk === undefined) {
      chunks.push([key]);
      return;
    }
    chunk.splice(lowerBound(chunk, key), 0, key);
    if (chunk.length > chunkMax) chunks.splice(at + 1, 0, chunk.splice(chunk.length >>> 1));
  }

  #remove(chunks: string[][], key: string): void {
    const at = chunkOf(chunks, key);
    const chunk = chunks[at] ?? [];
    chunk.splice(lowerBound(chunk, key), 1);
    if (chunk.length === 0) chunks.splice(at, 1);
  }
}

function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The last chunk that begins at or before the key; 0 where none does. */
function chunkOf(chunks: readonly (readonly string[])[], key: string): number {
  let low = 0;
  let high = chunks.length;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if ((chunks[middle]?.[0] ?? "") <= key) low = middle;
    else high = middle;
  }
  return low;
}

/** Where the key is, or would be inserted. */
function lowerBound(chunk: readonly string[], key: string): number {
  let low = 0;
  let high = chunk.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((chunk[middle] ?? "") < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
