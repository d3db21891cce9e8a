/** Where the ways to many URLs of a job begin: most often one of a few seeds, whose text would be most of what is stored of each. */
import type { Effects } from "./effects.ts";
import { entryOf, shortened, storedEntry, storedWaiting, type OpenEntry, type StoredEntry } from "./entry.ts";
import type { JobView } from "./job-view.ts";
import { keys } from "./keys.ts";
import { put } from "./put.ts";
import type { FrontierState } from "./state.ts";

/** Numbered roots of a view. What comes beyond is stored as text with each URL. */
const rootsMax = 100;
/** A text that is no longer than this is stored itself. */
const shortMax = 6;

/** Roots that have a number, from 1 on, by which what is stored of URLs names them. They last as long as the number of their view. */
export class Roots {
  readonly #byNumber = new Map<number, string>();
  readonly #numbers = new Map<string, number>();

  get size(): number {
    return this.#numbers.size;
  }

  set(number: number, root: string): void {
    this.#byNumber.set(number, root);
    this.#numbers.set(root, number);
  }

  numberOf(root: string): number | undefined {
    return this.#numbers.get(root);
  }

  of(number: number): string {
    const root = this.#byNumber.get(number);
    if (root === undefined) throw new Error(`root ${number} is named and not stored`);
    return root;
  }
}

/** Stores a URL that is released or has failed. */
export function putEntry(
  state: FrontierState,
  view: JobView,
  key: string,
  entry: OpenEntry,
  out: Effects,
): void {
  put(state, out, key, storedEntry(entry, rootNumber(state, view, entry, out)));
}

/** Stores a URL that waits. */
export function putWaiting(
  state: FrontierState,
  view: JobView,
  key: string,
  entry: OpenEntry,
  out: Effects,
): void {
  put(state, out, key, storedWaiting(entry, rootNumber(state, view, entry, out)));
}

/**
 * What is stored of a URL.
 *
 * @param number of the view it is stored under
 * @param said by its key
 */
export const readEntry = (
  state: FrontierState,
  number: number,
  said: Parameters<typeof entryOf>[0],
  value: unknown,
): OpenEntry => entryOf(said, value as StoredEntry, state.rootsOf(number));

/** The number of an entry's root, which is stored first if it is new; null where the root is to be stored as text. */
function rootNumber(
  state: FrontierState,
  view: JobView,
  { root, url, domain }: OpenEntry,
  out: Effects,
): number | null {
  if (root === null || root === url || shortened(root, domain).length <= shortMax) return null;
  const roots = state.rootsOf(view.number);
  const known = roots.numberOf(root);
  if (known !== undefined || roots.size >= rootsMax) return known ?? null;
  const number = roots.size + 1;
  roots.set(number, root);
  put(state, out, keys.root(view.number, number), root);
  return number;
}
