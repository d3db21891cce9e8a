import { scratchPageBytes, type Scratch } from "@sluice/topology";
import { isGone, isSame, words, type Sought } from "./known-slots.ts";
import type { Wanted } from "./page-tree.ts";

export const slotBytes = words * 4;
const slotsOfPage = scratchPageBytes / slotBytes;
export const filledMax = Math.floor(slotsOfPage * 0.9);
/** Changes of a page that are kept in memory, so that it is written once for all of them. */
export const changesMax = 128;
/** Slots of a page that were read or changed last, kept as well: most links that are known lead where many do. A power of two. */
export const recentMax = 256;

/**
 * Room for a page that is read and written, and for what it is made of. Shared by all: each is of use within one call, and no call
 * waits.
 */
export const whole = new Uint32Array(slotsOfPage * words);
export const wholeBytes = new Uint8Array(whole.buffer);
export const former = new Uint32Array(slotsOfPage * words);
export const formerBytes = new Uint8Array(former.buffer);

/** Slots of up to 3,686 URLs: themselves in the scratch, and of each a byte here that says which id it may be. */
export class KnownPage {
  /** In the scratch. */
  readonly number: number;
  /** 0: free. */
  readonly tags = new Uint8Array(slotsOfPage);
  filled = 0;
  gone = 0;
  /** Slots that were changed since the page was written, in order, and their words. */
  readonly changed = new Uint16Array(changesMax);
  readonly changedWords = new Uint32Array(changesMax * words);
  changes = 0;
  /** Which slot was read or changed last of those with the same remainder, plus one, and its words. */
  readonly recent = new Uint16Array(recentMax);
  readonly recentWords = new Uint32Array(recentMax * words);

  constructor(number: number) {
    this.number = number;
  }
}

export const pageBytes = slotsOfPage + (changesMax + recentMax) * (2 + slotBytes);

type Id = Pick<Sought, "high" | "low">;

/** The finish of MurmurHash3 (Appleby): each bit of the input changes about half of the others. */
function mixed(bits: number): number {
  let hash = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Which page an id is in. Ids are hashes that whoever chooses a URL can compute; with the salt nobody can tell what meets what. */
export const pageHashOf = ({ high, low }: Id, salt: number): number => mixed(low ^ mixed(high ^ salt));
/** Where in its page. */
export const slotHashOf = ({ high }: Id, pageHash: number): number => mixed(pageHash ^ high ^ 0x9e3779b9);
export const homeOf = (slotHash: number): number => slotHash >>> (32 - Math.log2(slotsOfPage));
export const tagOf = (slotHash: number): number => ((slotHash & 0xffff) % 255) + 1;
export const next = (slot: number): number => (slot + 1) % slotsOfPage;

export function copyWords(from: Uint32Array, fromAt: number, to: Uint32Array, toAt: number): void {
  for (let index = 0; index < words; index += 1) to[toAt + index] = from[fromAt + index] ?? 0;
}

/** The words of every slot of `slots` that has a URL, by their first word, and the hash that says which page it is in. */
export function eachUrl(
  slots: Uint32Array,
  salt: number,
  visit: (at: number, pageHash: number, id: Id) => void,
): void {
  for (let at = 0; at < slots.length; at += words) {
    const flags = slots[at + 2] ?? 0;
    if (flags === 0 || isGone(flags)) continue;
    const id = { high: slots[at] ?? 0, low: slots[at + 1] ?? 0 };
    visit(at, pageHashOf(id, salt), id);
  }
}

/**
 * A new page with the URLs of the slots that are wanted, written to the scratch and left in `whole`.
 *
 * @param merges a URL may be there several times, and the last one counts
 */
export function filledPage(scratch: Scratch, slots: Uint32Array, wanted: Wanted, merges: boolean): KnownPage {
  whole.fill(0);
  const page = new KnownPage(scratch.take());
  eachUrl(slots, scratch.salt, (from, hash, id) => {
    if (!wanted(hash)) return;
    const slotHash = slotHashOf(id, hash);
    const tag = tagOf(slotHash);
    let at = homeOf(slotHash);
    while (page.tags[at] !== 0) {
      if (merges && page.tags[at] === tag && isSame(whole, at * words, slots, from)) break;
      at = next(at);
    }
    if (page.tags[at] === 0) page.filled += 1;
    page.tags[at] = tag;
    copyWords(slots, from, whole, at * words);
  });
  scratch.write(page.number, wholeBytes, 0);
  return page;
}
