/** The durable entries of a task, as its step reads them: synchronous, and the same for the same history. */
import { OrderedMap } from "./ordered-map.ts";

/**
 * What is stored under keys of printable ASCII, readable in the order of the keys. A reader shows what was
 * committed and everything that was put since, down to the step before.
 */
export interface Entries<V = unknown> {
  /** Undefined where nothing is stored. */
  get(key: string): V | undefined;
  /** The first entries, at most `limit`, whose keys begin with the prefix and lie beyond `after`. */
  first(prefix: string, limit: number, after?: string): readonly (readonly [string, V])[];
}

/** Entries that can be gone through as a whole, when the state of a task is built. */
export interface LoadedEntries<V = unknown> extends Entries<V> {
  /** Keys with the prefix, in order. Nothing may be put meanwhile. */
  keys(prefix: string): Iterable<string>;
  /** The same with their values. */
  all(prefix: string): Iterable<readonly [string, V]>;
}

/** Changes over entries that they are not applied to yet: reads see both. A change to null removes. */
export class Overlay<V> implements Entries<V> {
  readonly #base: Entries<V>;
  readonly #changes: OrderedMap<V | null>;

  constructor(base: Entries<V>, changes = new OrderedMap<V | null>()) {
    this.#base = base;
    this.#changes = changes;
  }

  get changes(): OrderedMap<V | null> {
    return this.#changes;
  }

  put(key: string, value: V | null): void {
    this.#changes.set(key, value);
  }

  get(key: string): V | undefined {
    const changed = this.#changes.get(key);
    return changed === undefined ? this.#base.get(key) : (changed ?? undefined);
  }

  first(prefix: string, limit: number, after?: string): readonly (readonly [string, V])[] {
    if (this.#changes.size === 0) return this.#base.first(prefix, limit, after);
    const found: (readonly [string, V])[] = [];
    const changed = this.#changes.keys(prefix, after);
    let next = changed.next();
    let from = after;
    for (;;) {
      const below = this.#base.first(prefix, limit - found.length, from);
      for (const entry of below) {
        const [key] = entry;
        for (; next.done !== true && next.value <= key; next = changed.next()) {
          this.#add(next.value, found);
          if (found.length === limit) return found;
        }
        if (!this.#changes.has(key)) found.push(entry);
        if (found.length === limit) return found;
        from = key;
      }
      // What lies below may have been removed here: then there is more below.
      if (below.length > 0) continue;
      for (; next.done !== true && found.length < limit; next = changed.next()) this.#add(next.value, found);
      return found;
    }
  }

  #add(key: string, found: (readonly [string, V])[]): void {
    const value = this.#changes.get(key);
    if (value !== undefined && value !== null) found.push([key, value]);
  }
}

/** Entries in memory, e.g. those of a test. */
export class MemoryEntries<V> implements LoadedEntries<V> {
  readonly map = new OrderedMap<V>();

  get(key: string): V | undefined {
    return this.map.get(key);
  }

  first(prefix: string, limit: number, after?: string): readonly (readonly [string, V])[] {
    const found: (readonly [string, V])[] = [];
    if (limit <= 0) return found;
    for (const key of this.map.keys(prefix, after)) {
      const value = this.map.get(key);
      if (value !== undefined) found.push([key, value]);
      if (found.length >= limit) break;
    }
    return found;
  }

  keys(prefix: string): Iterable<string> {
    return this.map.keys(prefix);
  }

  *all(prefix: string): Generator<readonly [string, V], void, undefined> {
    for (const key of this.map.keys(prefix)) {
      const value = this.map.get(key);
      if (value !== undefined) yield [key, value];
    }
  }
}

/** Entries whose values are JSON text, read as what they say. @param texts asked anew at each read */
export function parsedReads(texts: () => Entries<string>): Entries {
  return {
    get: (key) => {
      const text = texts().get(key);
      return text === undefined ? undefined : (JSON.parse(text) as unknown);
    },
    first: (prefix, limit, after) =>
      texts()
        .first(prefix, limit, after)
        .map(([key, text]) => [key, JSON.parse(text) as unknown] as const),
  };
}

/** The same of entries that can be gone through as a whole. */
export function parsedEntries(texts: LoadedEntries<string>): LoadedEntries {
  return {
    ...parsedReads(() => texts),
    keys: (prefix) => texts.keys(prefix),
    *all(prefix) {
      for (const [key, text] of texts.all(prefix)) yield [key, JSON.parse(text) as unknown];
    },
  };
}
