import { scratchPageBytes, type Scratch } from "@sluice/topology";
import { gone, isGone, isOf, words, type Sought } from "./known-slots.ts";

const slotBytes = words * 4;
const slotsOfPage = scratchPageBytes / slotBytes;
const filledMax = slotsOfPage * 0.8;
/** Of the first 32 bits of an id those that say where its slot is. */
const homeShift = 32 - Math.log2(slotsOfPage);
/** Changes of a page that are kept in memory, so that it is written once for all of them. */
const changesMax = 128;
/** Slots of a page that were read or changed last, kept as well: most links that are known lead where many do. A power of two. */
const recentMax = 256;

/** What is read, and written, at a time: a slot, a page, and the page that it is made of. Of no use in between. */
const read = new Uint32Array(words);
const readBytes = new Uint8Array(read.buffer);
const whole = new Uint32Array(slotsOfPage * words);
const wholeBytes = new Uint8Array(whole.buffer);
const former = new Uint32Array(slotsOfPage * words);

/** Slots of up to 3,276 URLs: themselves in the scratch, and of each a byte here that says which id it may be. */
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

/** By the next bit of the id, from the first of its second 32 bits on. Those of two URLs differ in some of the 64. */
interface Fork {
  zero: Page | Fork;
  one: Page | Fork;
}

const isOne = ({ high, low }: Pick<Sought, "high" | "low">, bit: number): boolean =>
  ((bit < 32 ? low >>> (31 - bit) : high >>> (63 - bit)) & 1) === 1;
const tagOf = (high: number): number => ((high & 0xffff) % 255) + 1;
const homeOf = (high: number): number => high >>> homeShift;
/** The last change of the slot; -1: none. */
function changeOf({ changed, changes }: Page, slot: number): number {
  let index = changes - 1;
  while (index >= 0 && changed[index] !== slot) index -= 1;
  return index;
}

function copyWords(from: Uint32Array, fromAt: number, to: Uint32Array, toAt: number): void {
  for (let index = 0; index < words; index += 1) to[toAt + index] = from[fromAt + index] ?? 0;
}

const next = (slot: number): number => (slot + 1) % slotsOfPage;

/**
 * Known URLs in pages of scratch: a hash table that grows by splitting one page at a time (extendible hashing; Fagin et al. 1979).
 * An id that is not known costs a read in one of 20 to 100 cases, one that is known costs one.
 */
export class KnownPages {
  readonly #scratch: Scratch;
  #root: Page | Fork;
  #pages = 0;

  /** @param slots as many as a page has, of which some are free */
  constructor(scratch: Scratch, slots: Uint32Array) {
    this.#scratch = scratch;
    this.#root = this.#filledBy(slots, () => true);
  }

  /** In memory. */
  get bytes(): number {
    return this.#pages * pageBytes;
  }

  get diskBytes(): number {
    return this.#pages * scratchPageBytes;
  }

  /** Copies what is found to `into`, and answers whether it was. */
  get(sought: Sought, into: Uint32Array): boolean {
    const page = this.#pageOf(sought);
    const at = this.#find(page, sought);
    if (page.tags[at] === 0) return false;
    into.set(read);
    return true;
  }

  /** Answers whether it was not there. */
  put(sought: Sought, slot: Uint32Array): boolean {
    let page = this.#pageOf(sought);
    let at = this.#find(page, sought);
    const isNew = page.tags[at] === 0;
    if (isNew) {
      for (; page.filled >= filledMax; at = this.#find(page, sought)) {
        this.#makeRoom(sought);
        page = this.#pageOf(sought);
      }
      page.filled += 1;
      page.tags[at] = tagOf(sought.high);
    }
    this.#write(page, at, slot);
    return isNew;
  }

  forget(sought: Sought): boolean {
    const page = this.#pageOf(sought);
    const at = this.#find(page, sought);
    if (page.tags[at] === 0) return false;
    read[2] = gone;
    this.#write(page, at, read);
    page.gone += 1;
    return true;
  }

  /** Gives all its pages back, and is of no use any more. */
  clear(): void {
    for (const page of pagesOf(this.#root)) this.#scratch.giveBack(page.number);
    this.#pages = 0;
  }

  #pageOf(sought: Sought): Page {
    let node = this.#root;
    for (let bit = 0; !(node instanceof Page); bit += 1) node = isOne(sought, bit) ? node.one : node.zero;
    return node;
  }

  /** The slot of the id, whose words are read then, or the free one where it would be. */
  #find(page: Page, sought: Sought): number {
    const tag = tagOf(sought.high);
    let at = homeOf(sought.high);
    for (; page.tags[at] !== 0; at = next(at)) {
      if (page.tags[at] !== tag) continue;
      this.#read(page, at);
      if (isOf(read, 0, sought)) break;
    }
    return at;
  }

  /** Reads a slot's words into `read`. */
  #read(page: Page, at: number): void {
    const line = at % recentMax;
    if (page.recent[line] === at + 1) {
      copyWords(page.recentWords, line * words, read, 0);
      return;
    }
    const change = changeOf(page, at);
    if (change >= 0) copyWords(page.changedWords, change * words, read, 0);
    else this.#scratch.read(page.number, readBytes, at * slotBytes);
    page.recent[line] = at + 1;
    copyWords(read, 0, page.recentWords, line * words);
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

  /** The page of the id, which is full, is split, or made anew where most of it was forgotten. */
  #makeRoom(sought: Sought): void {
    let node = this.#root;
    let fork: Fork | null = null;
    let bit = 0;
    for (; !(node instanceof Page); bit += 1) {
      fork = node;
      node = isOne(sought, bit) ? node.one : node.zero;
    }
    const page = node;
    this.#readWhole(page);
    former.set(whole);
    const made =
      page.gone > page.filled / 2
        ? this.#filledBy(former, () => true)
        : {
            zero: this.#filledBy(former, (id) => !isOne(id, bit)),
            one: this.#filledBy(former, (id) => isOne(id, bit)),
          };
    if (fork === null) this.#root = made;
    else if (fork.zero === page) fork.zero = made;
    else fork.one = made;
    this.#scratch.giveBack(page.number);
    this.#pages -= 1;
  }

  /** A new page with those of the slots that are wanted and not forgotten. */
  #filledBy(slots: Uint32Array, wanted: (id: Pick<Sought, "high" | "low">) => boolean): Page {
    whole.fill(0);
    const page = new Page(this.#scratch.take());
    for (let from = 0; from < slots.length; from += words) {
      const high = slots[from] ?? 0;
      const low = slots[from + 1] ?? 0;
      const flags = slots[from + 2] ?? 0;
      if (flags === 0 || isGone(flags) || !wanted({ high, low })) continue;
      let at = homeOf(high);
      while (page.tags[at] !== 0) at = next(at);
      page.tags[at] = tagOf(high);
      page.filled += 1;
      whole.set(slots.subarray(from, from + words), at * words);
    }
    this.#scratch.write(page.number, wholeBytes);
    this.#pages += 1;
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
