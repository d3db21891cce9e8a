import { scratchPageBytes, type Scratch } from "@sluice/topology";
import { gone, isGone, isOf, words, type Sought } from "./known-slots.ts";

const slotBytes = words * 4;
const slotsOfPage = scratchPageBytes / slotBytes;
const filledMax = slotsOfPage * 0.8;
/** Changes of a page that are kept in memory, so that it is written once for all of them. */
const changesMax = 128;
/** Slots of a page that were read or changed last, kept as well: most links that are known lead where many do. A power of two. */
const recentMax = 256;

/**
 * The slot that was found last, and room for a page that is read and written, and for one that is split. Shared by all: each is of use
 * within one call, and no call waits.
 */
const found = new Uint32Array(words);
const foundBytes = new Uint8Array(found.buffer);
const whole = new Uint32Array(slotsOfPage * words);
const wholeBytes = new Uint8Array(whole.buffer);
const former = new Uint32Array(slotsOfPage * words);

/** Slots of up to 3,277 URLs: themselves in the scratch, and of each a byte here that says which id it may be. */
class Page {
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

const pageBytes = slotsOfPage + (changesMax + recentMax) * (2 + slotBytes);

/** By the next bit of the hash. */
interface Fork {
  zero: Page | Fork;
  one: Page | Fork;
}

type Id = Pick<Sought, "high" | "low">;

/** The finish of MurmurHash3 (Appleby): each bit of the input changes about half of the others. */
function mixed(bits: number): number {
  let hash = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Which page an id is in. Ids are hashes that whoever chooses a URL can compute; with the salt nobody can tell what meets what. */
const pageHashOf = ({ high, low }: Id, salt: number): number => mixed(low ^ mixed(high ^ salt));
/** Where in its page. */
const slotHashOf = ({ high }: Id, pageHash: number): number => mixed(pageHash ^ high ^ 0x9e3779b9);
const isOne = (pageHash: number, bit: number): boolean => ((pageHash >>> (31 - bit)) & 1) === 1;
const homeOf = (slotHash: number): number => slotHash >>> (32 - Math.log2(slotsOfPage));
const tagOf = (slotHash: number): number => ((slotHash & 0xffff) % 255) + 1;
const next = (slot: number): number => (slot + 1) % slotsOfPage;

/** The last change of the slot; -1: none. */
function changeOf({ changed, changes }: Page, slot: number): number {
  let index = changes - 1;
  while (index >= 0 && changed[index] !== slot) index -= 1;
  return index;
}

function copyWords(from: Uint32Array, fromAt: number, to: Uint32Array, toAt: number): void {
  for (let index = 0; index < words; index += 1) to[toAt + index] = from[fromAt + index] ?? 0;
}

/**
 * Known URLs in pages of scratch: a hash table that grows by splitting one page at a time (extendible hashing; Fagin et al. 1979).
 * An id that is not known costs a read in one of some 30 to 400 cases, one that is known costs one unless it was there lately.
 */
export class KnownPages {
  readonly #scratch: Scratch;
  #root: Page | Fork;
  #pageCount = 0;

  /** @param slots of no more URLs than a page takes; some are free */
  constructor(scratch: Scratch, slots: Uint32Array) {
    this.#scratch = scratch;
    this.#root = this.#filledBy(slots, () => true);
  }

  /** In memory. */
  get bytes(): number {
    return this.#pageCount * pageBytes;
  }

  get diskBytes(): number {
    return this.#pageCount * scratchPageBytes;
  }

  /** Copies what is found to `into`, and answers whether it was. */
  get(sought: Sought, into: Uint32Array): boolean {
    const hash = pageHashOf(sought, this.#scratch.salt);
    const page = this.#pageOf(hash);
    if (page.tags[this.#find(page, sought, slotHashOf(sought, hash))] === 0) return false;
    into.set(found);
    return true;
  }

  /** Answers whether it was not there. */
  put(sought: Sought, slot: Uint32Array): boolean {
    const hash = pageHashOf(sought, this.#scratch.salt);
    const slotHash = slotHashOf(sought, hash);
    let page = this.#pageOf(hash);
    let at = this.#find(page, sought, slotHash);
    const isNew = page.tags[at] === 0;
    if (isNew) {
      for (; page.filled >= filledMax; at = this.#find(page, sought, slotHash)) {
        this.#makeRoom(hash);
        page = this.#pageOf(hash);
      }
      page.filled += 1;
      page.tags[at] = tagOf(slotHash);
    }
    this.#write(page, at, slot);
    return isNew;
  }

  forget(sought: Sought): boolean {
    const hash = pageHashOf(sought, this.#scratch.salt);
    const page = this.#pageOf(hash);
    const at = this.#find(page, sought, slotHashOf(sought, hash));
    if (page.tags[at] === 0) return false;
    found[2] = gone;
    this.#write(page, at, found);
    page.gone += 1;
    return true;
  }

  /** Gives all its pages back, and is of no use any more. */
  clear(): void {
    for (const page of pagesOf(this.#root)) this.#scratch.giveBack(page.number);
    this.#pageCount = 0;
  }

  #pageOf(hash: number): Page {
    let node = this.#root;
    for (let bit = 0; !(node instanceof Page); bit += 1) node = isOne(hash, bit) ? node.one : node.zero;
    return node;
  }

  /** The slot of the id, whose words are in `found` then, or the free one where it would be. */
  #find(page: Page, sought: Sought, slotHash: number): number {
    const tag = tagOf(slotHash);
    let at = homeOf(slotHash);
    for (; page.tags[at] !== 0; at = next(at)) {
      if (page.tags[at] !== tag) continue;
      this.#read(page, at);
      if (isOf(found, 0, sought)) break;
    }
    return at;
  }

  /** Reads a slot's words into `found`. */
  #read(page: Page, at: number): void {
    const line = at % recentMax;
    if (page.recent[line] === at + 1) {
      copyWords(page.recentWords, line * words, found, 0);
      return;
    }
    const change = changeOf(page, at);
    if (change >= 0) copyWords(page.changedWords, change * words, found, 0);
    else this.#scratch.read(page.number, foundBytes, at * slotBytes);
    page.recent[line] = at + 1;
    copyWords(found, 0, page.recentWords, line * words);
  }

  #write(page: Page, at: number, slot: Uint32Array): void {
    const line = at % recentMax;
    page.recent[line] = at + 1;
    copyWords(slot, 0, page.recentWords, line * words);
    page.changed[page.changes] = at;
    copyWords(slot, 0, page.changedWords, page.changes * words);
    page.changes += 1;
    if (page.changes < changesMax) return;
    this.#readWhole(page);
    this.#scratch.write(page.number, wholeBytes);
    page.changes = 0;
  }

  /** The page with all changes. */
  #readWhole(page: Page): void {
    this.#scratch.read(page.number, wholeBytes, 0);
    for (let index = 0; index < page.changes; index += 1)
      whole.set(
        page.changedWords.subarray(index * words, (index + 1) * words),
        (page.changed[index] ?? 0) * words,
      );
  }

  /** The page, which is full, is split, or made anew where most of it was forgotten. */
  #makeRoom(hash: number): void {
    let node = this.#root;
    let fork: Fork | null = null;
    let bit = 0;
    for (; !(node instanceof Page); bit += 1) {
      fork = node;
      node = isOne(hash, bit) ? node.one : node.zero;
    }
    const page = node;
    this.#readWhole(page);
    former.set(whole);
    if (bit > 31) throw new Error(`${page.filled} URLs share the 32 bits of their hashes`);
    const made =
      page.gone > page.filled / 2
        ? this.#filledBy(former, () => true)
        : {
            zero: this.#filledBy(former, (other) => !isOne(other, bit)),
            one: this.#filledBy(former, (other) => isOne(other, bit)),
          };
    if (fork === null) this.#root = made;
    else if (fork.zero === page) fork.zero = made;
    else fork.one = made;
    this.#scratch.giveBack(page.number);
    this.#pageCount -= 1;
  }

  /** A new page with those of the slots that are wanted by their hash, and not forgotten. */
  #filledBy(slots: Uint32Array, wanted: (hash: number) => boolean): Page {
    whole.fill(0);
    const page = new Page(this.#scratch.take());
    for (let from = 0; from < slots.length; from += words) {
      const flags = slots[from + 2] ?? 0;
      if (flags === 0 || isGone(flags)) continue;
      const id = { high: slots[from] ?? 0, low: slots[from + 1] ?? 0 };
      const hash = pageHashOf(id, this.#scratch.salt);
      if (!wanted(hash)) continue;
      const slotHash = slotHashOf(id, hash);
      let at = homeOf(slotHash);
      while (page.tags[at] !== 0) at = next(at);
      page.tags[at] = tagOf(slotHash);
      page.filled += 1;
      copyWords(slots, from, whole, at * words);
    }
    this.#scratch.write(page.number, wholeBytes);
    this.#pageCount += 1;
    return page;
  }
}

function* pagesOf(node: Page | Fork): Generator<Page, void, undefined> {
  if (node instanceof Page) yield node;
  else {
    yield* pagesOf(node.zero);
    yield* pagesOf(node.one);
  }
}
