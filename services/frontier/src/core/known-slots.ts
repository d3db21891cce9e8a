/**
 * How a known URL is told in four words: 64 bits of its id, then 3 of where it is, 13 of depth, and 48 of its place, or of a settled one
 * of 48 more bits of the id. Two URLs are taken for one with a chance of about n² / 2^65 among n that are open at a time:
 * 1 in 370,000 for ten million.
 */

/**
 * Where a known URL is. `settled`: it came to its end. The others are open: `fresh` and `granted` wait in their
 * domain's queue, without or with a page grant; `delayed` waits for its due time, `held` for a unit of a budget; `out` is released.
 */
export type Whereabouts = "settled" | "fresh" | "granted" | "delayed" | "out" | "held";

export interface Known {
  readonly at: Whereabouts;
  /** The shortest way it was found by; `depthMax` stands for that and everything beyond. */
  readonly depth: number;
  /** Of one in a queue or held its place and priority (`rankedPlace`), of a delayed one its due time in epoch milliseconds, else 0. */
  readonly place: number;
}

/** Depths are told apart up to this. */
export const depthMax = 8191;

/** Words of a slot. */
export const words = 4;
export const word = 2 ** 32;

const codes: readonly (Whereabouts | null)[] = [
  null,
  "settled",
  "fresh",
  "granted",
  "delayed",
  "out",
  "held",
];
const settledCode = 1;
/** Of a slot whose URL was forgotten: what lies beyond is still found. */
const goneCode = 7;

/** The third word of a slot whose URL was forgotten. */
export const gone = (goneCode << 29) >>> 0;
export const isGone = (flags: number): boolean => flags >>> 29 === goneCode;

/** Whether the slot that begins at word `at` is that of the id. */
export function isOf(slots: Uint32Array, at: number, { high, low, rest }: Sought): boolean {
  if (slots[at] !== high || slots[at + 1] !== low) return false;
  const flags = slots[at + 2] ?? 0;
  const code = flags >>> 29;
  if (code === goneCode) return false;
  // A settled URL has no place, and room for more of its id.
  return code !== settledCode || rest === unread || (flags & 0xffff) * word + (slots[at + 3] ?? 0) === rest;
}

/** Whether two slots are those of one URL, as far as they can tell: where one of them is open, by 64 bits of the id. */
export function isSame(slots: Uint32Array, at: number, others: Uint32Array, other: number): boolean {
  if (slots[at] !== others[other] || slots[at + 1] !== others[other + 1]) return false;
  const [flags, otherFlags] = [slots[at + 2] ?? 0, others[other + 2] ?? 0];
  if (flags >>> 29 !== settledCode || otherFlags >>> 29 !== settledCode) return true;
  return (flags & 0xffff) === (otherFlags & 0xffff) && slots[at + 3] === others[other + 3];
}

/** What a slot says, of its last two words; null of a free one. */
export function knownOf(flags: number, tail: number): Known | null {
  const at = codes[flags >>> 29] ?? null;
  if (at === null) return null;
  const place = at === "settled" ? 0 : (flags & 0xffff) * word + tail;
  return { at, depth: (flags >>> 16) & depthMax, place };
}

/** What is asked for by its id: 64 bits of it, and the 48 after them, or `unread`. */
export interface Sought {
  high: number;
  low: number;
  rest: number;
}

/** In the place of bits that are not there to be read, and need not be equal. */
export const unread = -1;

/** Fills the four words of a slot. @param place below 2^48 */
export function fillSlot(
  slot: Uint32Array,
  { high, low, rest }: Sought,
  at: Whereabouts,
  depth: number,
  place: number,
): void {
  const number = at === "settled" ? rest : place;
  slot[0] = high;
  slot[1] = low;
  slot[2] = ((codes.indexOf(at) << 29) | (Math.min(depth, depthMax) << 16) | Math.floor(number / word)) >>> 0;
  slot[3] = number >>> 0;
}
