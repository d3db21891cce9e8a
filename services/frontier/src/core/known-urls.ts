/** Which URLs a task knows of one run of a job: what every link that is found is checked against. */
import type { Scratch } from "@sluice/topology";
import { seekWaiting } from "./keys.ts";
import { KnownLog } from "./known-log.ts";
import { KnownPages } from "./known-pages.ts";
import { fillSlot, knownOf, words, type Known, type Sought, type Whereabouts } from "./known-slots.ts";
import { KnownTable } from "./known-table.ts";

/** What comes out of memory goes into one page. */
const inMemoryLimit = 3000;

/**
 * The first few thousand lie in a table in memory. Where there are more, all lie in pages of scratch, and memory has about five
 * bytes of each, whatever the URL's length.
 */
export class KnownUrls {
  readonly #scratch: Scratch;
  readonly #inMemoryMax: number;
  #urls: KnownTable | KnownPages | KnownLog = new KnownTable();
  #size = 0;
  /** While they are loaded: how many are expected, about. */
  #expected: number | null = null;
  readonly #slot = new Uint32Array(words);
  readonly #sought = { high: 0, low: 0, rest: 0 };

  /** @param inMemoryMax URLs beyond which they go into the scratch */
  constructor(scratch: Scratch, inMemoryMax: number) {
    if (inMemoryMax > inMemoryLimit) throw new Error(`a page has no room for ${inMemoryMax} URLs`);
    this.#scratch = scratch;
    this.#inMemoryMax = inMemoryMax;
  }

  get size(): number {
    return this.#size;
  }

  /**
   * Until `loaded` nothing is asked for, cleared or counted, and what comes costs a third of the time.
   *
   * @param expected how many come, about
   */
  load(expected: number): void {
    this.#expected = expected;
  }

  loaded(): void {
    this.#expected = null;
    if (!(this.#urls instanceof KnownLog)) return;
    const { urls, size } = this.#urls.pages();
    this.#urls = urls;
    this.#size = size;
  }

  /** @param urlId 32 hexadecimal digits */
  get(urlId: string): Known | null {
    return this.#found.get(this.#seek(urlId), this.#slot)
      ? knownOf(this.#slot[2] ?? 0, this.#slot[3] ?? 0)
      : null;
  }

  /** @param place below 2^48 */
  set(urlId: string, at: Whereabouts, depth: number, place = 0): void {
    this.#put(this.#seek(urlId), at, depth, place);
  }

  /** The same of one that waits, by the text of a key in which its id begins at the character `from`. */
  addWaiting(key: string, from: number, at: Whereabouts, depth: number, place: number): void {
    seekWaiting(key, from, this.#sought);
    this.#put(this.#sought, at, depth, place);
  }

  /** The same of one that is settled, by the 16 bytes of its id. */
  addSettled(bytes: Buffer, from: number, depth: number): void {
    const sought = this.#sought;
    sought.high = bytes.readUInt32BE(from);
    sought.low = bytes.readUInt32BE(from + 4);
    sought.rest = bytes.readUIntBE(from + 8, 6);
    this.#put(sought, "settled", depth, 0);
  }

  /** It is known no more; false where it was not known. */
  forget(urlId: string): boolean {
    if (!this.#found.forget(this.#seek(urlId))) return false;
    this.#size -= 1;
    return true;
  }

  clear(): void {
    if (this.#found instanceof KnownPages) this.#found.clear();
    this.#urls = new KnownTable();
    this.#size = 0;
  }

  /** Bytes in memory. */
  get bytes(): number {
    return this.#urls.bytes;
  }

  /** Bytes of scratch. */
  get diskBytes(): number {
    return this.#urls instanceof KnownTable ? 0 : this.#urls.diskBytes;
  }

  #put(sought: Sought, at: Whereabouts, depth: number, place: number): void {
    fillSlot(this.#slot, sought, at, depth, place);
    if (this.#urls instanceof KnownLog) {
      this.#urls.put(sought, this.#slot);
      return;
    }
    if (this.#urls.put(sought, this.#slot)) this.#size += 1;
    if (this.#size <= this.#inMemoryMax || this.#urls instanceof KnownPages) return;
    const { slots } = this.#urls;
    this.#urls =
      this.#expected === null
        ? KnownPages.of(this.#scratch, slots)
        : new KnownLog(this.#scratch, slots, this.#expected);
  }

  /** What can be asked. */
  get #found(): KnownTable | KnownPages {
    if (this.#urls instanceof KnownLog) throw new Error("known URLs are asked for while they are loaded");
    return this.#urls;
  }

  #seek(urlId: string): Sought {
    const sought = this.#sought;
    sought.high = parseInt(urlId.slice(0, 8), 16);
    sought.low = parseInt(urlId.slice(8, 16), 16);
    // The 48 bits of the id that follow the first 64.
    sought.rest = parseInt(urlId.slice(16, 28), 16);
    return sought;
  }
}
