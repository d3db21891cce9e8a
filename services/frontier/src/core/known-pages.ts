import { scratchPageBytes, type Scratch } from "@sluice/topology";
import {
  changesMax,
  copyWords,
  filledMax,
  filledPage,
  former,
  homeOf,
  next,
  pageBytes,
  pageHashOf,
  recentMax,
  slotBytes,
  slotHashOf,
  tagOf,
  whole,
  wholeBytes,
  type KnownPage,
} from "./known-page.ts";
import { gone, isOf, words, type Sought } from "./known-slots.ts";
import { PageTree, type Wanted } from "./page-tree.ts";

/** The slot that was found last: of use within one call. */
const found = new Uint32Array(words);
const foundBytes = new Uint8Array(found.buffer);

/** The last change of the slot; -1: none. */
function changeOf({ changed, changes }: KnownPage, slot: number): number {
  let index = changes - 1;
  while (index >= 0 && changed[index] !== slot) index -= 1;
  return index;
}

/**
 * Known URLs in pages of scratch: a hash table that grows by splitting one page at a time.
 * An id that is not known costs a read in one of some 30 to 400 cases, one that is known costs one unless it was there lately.
 */
export class KnownPages {
  readonly #scratch: Scratch;
  readonly #tree: PageTree<KnownPage>;

  constructor(scratch: Scratch, tree: PageTree<KnownPage>) {
    this.#scratch = scratch;
    this.#tree = tree;
  }

  /** @param slots of no more URLs than a page takes; some are free */
  static of(scratch: Scratch, slots: Uint32Array): KnownPages {
    return new KnownPages(scratch, new PageTree(filledPage(scratch, slots, () => true, false)));
  }

  /** In memory. */
  get bytes(): number {
    return this.#tree.pageCount * pageBytes;
  }

  get diskBytes(): number {
    return this.#tree.pageCount * scratchPageBytes;
  }

  /** Copies what is found to `into`, and answers whether it was. */
  get(sought: Sought, into: Uint32Array): boolean {
    const hash = pageHashOf(sought, this.#scratch.salt);
    const page = this.#tree.of(hash);
    if (page.tags[this.#find(page, sought, slotHashOf(sought, hash))] === 0) return false;
    into.set(found);
    return true;
  }

  /** Answers whether it was not there. */
  put(sought: Sought, slot: Uint32Array): boolean {
    const hash = pageHashOf(sought, this.#scratch.salt);
    const slotHash = slotHashOf(sought, hash);
    let page = this.#tree.of(hash);
    let at = this.#find(page, sought, slotHash);
    const isNew = page.tags[at] === 0;
    if (isNew) {
      for (; page.filled >= filledMax; at = this.#find(page, sought, slotHash)) {
        this.#makeRoom(hash, page);
        page = this.#tree.of(hash);
      }
      page.filled += 1;
      page.tags[at] = tagOf(slotHash);
    }
    this.#write(page, at, slot);
    return isNew;
  }

  forget(sought: Sought): boolean {
    const hash = pageHashOf(sought, this.#scratch.salt);
    const page = this.#tree.of(hash);
    const at = this.#find(page, sought, slotHashOf(sought, hash));
    if (page.tags[at] === 0) return false;
    found[2] = gone;
    this.#write(page, at, found);
    page.gone += 1;
    return true;
  }

  /** Gives all its pages back, and is of no use any more. */
  clear(): void {
    for (const page of this.#tree.pages()) this.#scratch.giveBack(page.number);
  }

  /** The slot of the id, whose words are in `found` then, or the free one where it would be. */
  #find(page: KnownPage, sought: Sought, slotHash: number): number {
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
  #read(page: KnownPage, at: number): void {
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

  #write(page: KnownPage, at: number, slot: Uint32Array): void {
    const line = at % recentMax;
    page.recent[line] = at + 1;
    copyWords(slot, 0, page.recentWords, line * words);
    page.changed[page.changes] = at;
    copyWords(slot, 0, page.changedWords, page.changes * words);
    page.changes += 1;
    if (page.changes < changesMax) return;
    this.#readWhole(page);
    this.#scratch.write(page.number, wholeBytes, 0);
    page.changes = 0;
  }

  /** The page with all changes. */
  #readWhole(page: KnownPage): void {
    this.#scratch.read(page.number, wholeBytes, 0);
    for (let index = 0; index < page.changes; index += 1)
      whole.set(
        page.changedWords.subarray(index * words, (index + 1) * words),
        (page.changed[index] ?? 0) * words,
      );
  }

  /** The page, which is full, is split, or made anew where most of it was forgotten. */
  #makeRoom(hash: number, page: KnownPage): void {
    this.#readWhole(page);
    former.set(whole);
    const made = (wanted: Wanted): KnownPage => filledPage(this.#scratch, former, wanted, false);
    if (page.gone > page.filled / 2)
      this.#tree.replace(
        hash,
        made(() => true),
      );
    else this.#tree.split(hash, made);
    this.#scratch.giveBack(page.number);
  }
}
