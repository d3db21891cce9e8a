import { scratchPageBytes, type Scratch } from "@sluice/topology";
import {
  changesMax,
  copyWords,
  eachUrl,
  filledMax,
  filledPage,
  former,
  formerBytes,
  pageHashOf,
  slotBytes,
  whole,
  wholeBytes,
} from "./known-page.ts";
import { KnownPages } from "./known-pages.ts";
import { words, type Sought } from "./known-slots.ts";
import { PageTree, type Wanted } from "./page-tree.ts";

/** Notes of a page, on average, that is not going to be full. */
const expectedMax = filledMax * 0.95;
/** URLs. What is expected may be wrong, and each page takes 2 KB of memory here, and later 11 KB and 64 KiB of disk. */
const expectedLimit = 50_000_000;

/** Slots in the order in which they came, the last of them not in the scratch yet. */
class LogPage {
  readonly number: number;
  written: number;
  readonly waiting = new Uint32Array(changesMax * words);
  waits = 0;

  constructor(number: number, written: number) {
    this.number = number;
    this.written = written;
  }

  get count(): number {
    return this.written + this.waits;
  }

  get waitingBytes(): Uint8Array {
    return new Uint8Array(this.waiting.buffer);
  }
}

/**
 * Known URLs while a state is loaded: what comes is noted for the page that it belongs to, and nothing is looked up. At the end each
 * page is made of its notes at once. A third of the time of putting each where it belongs.
 */
export class KnownLog {
  readonly #scratch: Scratch;
  readonly #tree: PageTree<LogPage>;

  /**
   * @param slots of URLs that have come already; some are free
   * @param expected URLs in all, about: with as many pages as they need none has to be split
   */
  constructor(scratch: Scratch, slots: Uint32Array, expected: number) {
    this.#scratch = scratch;
    const slotCount = Math.min(expected, expectedLimit);
    this.#tree = PageTree.for(slotCount, expectedMax, () => new LogPage(scratch.take(), 0));
    eachUrl(slots, scratch.salt, (at, hash) => this.#note(hash, slots, at));
  }

  get bytes(): number {
    return this.#tree.pageCount * changesMax * slotBytes;
  }

  get diskBytes(): number {
    return this.#tree.pageCount * scratchPageBytes;
  }

  /** What was put of the same URL before counts no more. */
  put(sought: Sought, slot: Uint32Array): void {
    this.#note(pageHashOf(sought, this.#scratch.salt), slot, 0);
  }

  /** In pages where they are found; this is of no use any more. */
  pages(): { readonly urls: KnownPages; readonly size: number } {
    let size = 0;
    const tree = this.#tree.map((log) => {
      const page = filledPage(this.#scratch, this.#read(log), () => true, true);
      this.#scratch.giveBack(log.number);
      size += page.filled;
      return page;
    });
    return { urls: new KnownPages(this.#scratch, tree), size };
  }

  #note(hash: number, slots: Uint32Array, at: number): void {
    let page = this.#tree.of(hash);
    while (page.count >= filledMax) {
      this.#makeRoom(hash, page);
      page = this.#tree.of(hash);
    }
    copyWords(slots, at, page.waiting, page.waits * words);
    page.waits += 1;
    if (page.waits < changesMax) return;
    this.#scratch.write(page.number, page.waitingBytes, page.written * slotBytes);
    page.written += page.waits;
    page.waits = 0;
  }

  /** The page, which is full, is split, or made anew where most of it was said of the same URLs. */
  #makeRoom(hash: number, page: LogPage): void {
    const merged = filledPage(this.#scratch, this.#read(page), () => true, true);
    former.set(whole);
    this.#scratch.giveBack(merged.number);
    this.#scratch.giveBack(page.number);
    const made = (wanted: Wanted): LogPage => this.#noted(former, wanted);
    if (merged.filled <= filledMax / 2)
      this.#tree.replace(
        hash,
        made(() => true),
      );
    else this.#tree.split(hash, made);
  }

  /** A page of notes of those of the slots that are wanted by their hash. */
  #noted(slots: Uint32Array, wanted: Wanted): LogPage {
    let count = 0;
    eachUrl(slots, this.#scratch.salt, (from, hash) => {
      if (!wanted(hash)) return;
      copyWords(slots, from, whole, count * words);
      count += 1;
    });
    const number = this.#scratch.take();
    this.#scratch.write(number, wholeBytes.subarray(0, count * slotBytes), 0);
    return new LogPage(number, count);
  }

  #read(page: LogPage): Uint32Array {
    this.#scratch.read(page.number, formerBytes.subarray(0, page.written * slotBytes), 0);
    former.set(page.waiting.subarray(0, page.waits * words), page.written * words);
    return former.subarray(0, page.count * words);
  }
}
