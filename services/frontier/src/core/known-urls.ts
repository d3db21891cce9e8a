/** Which URLs a task knows of one run of a job, in memory: what every link that is found is checked against. */

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

/** A slot is four words: 64 bits of the id, then 3 of whereabouts, 13 of depth, and 48 of place. */
const words = 4;
/** URLs in one table, beyond which there are many: then each grows for itself, and none for long. */
const singleMax = 4096;
const tablesMany = 256;
const fillMax = 0.8;
const growth = 1.25;
/** Above the mean, in standard deviations of what one of many tables gets by chance. */
const spread = 3;
const word = 2 ** 32;

class Table {
  slots: Uint32Array;
  capacity: number;
  /** Slots that are not free, those that are gone among them. */
  size = 0;
  gone = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.slots = new Uint32Array(capacity * words);
  }

  /** First word of the slot that has the id, or of the free one where it would be. */
  find(high: number, low: number, rest: number): number {
    const { capacity, slots } = this;
    let index = Math.floor((high / word) * capacity);
    for (;;) {
      const at = index * words;
      const flags = slots[at + 2] ?? 0;
      if (flags === 0) return at;
      if (slots[at] === high && slots[at + 1] === low) {
        const code = flags >>> 29;
        // A settled URL has no place, and room for more of its id.
        if (code !== settledCode && code !== goneCode) return at;
        if (code === settledCode && (flags & 0xffff) * word + (slots[at + 3] ?? 0) === rest) return at;
      }
      index += 1;
      if (index === capacity) index = 0;
    }
  }

  get isFull(): boolean {
    return this.size >= this.capacity * fillMax;
  }
}

/**
 * A hash table in typed arrays, 16 bytes a slot and about 22 a URL, whatever the URL's length. It holds 112 bits
 * of the id of a settled URL and 64 of one that is open, so two URLs are taken for one with a chance of about
 * n² / 2^65 among n that are open at a time: 1 in 370,000 for ten million.
 */
export class KnownUrls {
  #tables: Table[] = [new Table(8)];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** @param urlId 32 hexadecimal digits */
  get(urlId: string): Known | null {
    const high = parseInt(urlId.slice(0, 8), 16);
    const low = parseInt(urlId.slice(8, 16), 16);
    const table = this.#tableOf(low);
    const at = table.find(high, low, restOf(urlId));
    const flags = table.slots[at + 2] ?? 0;
    const whereabouts = codes[flags >>> 29] ?? null;
    if (whereabouts === null) return null;
    const place = whereabouts === "settled" ? 0 : (flags & 0xffff) * word + (table.slots[at + 3] ?? 0);
    return { at: whereabouts, depth: (flags >>> 16) & depthMax, place };
  }

  /** @param place below 2^48 */
  set(urlId: string, at: Whereabouts, depth: number, place = 0): void {
    const high = parseInt(urlId.slice(0, 8), 16);
    const low = parseInt(urlId.slice(8, 16), 16);
    this.#put(high, low, restOf(urlId), codes.indexOf(at), depth, place);
  }

  /** The same by the 16 bytes of its id. */
  add(bytes: Buffer, from: number, at: Whereabouts, depth: number, place = 0): void {
    const rest = bytes.readUIntBE(from + 8, 6);
    this.#put(bytes.readUInt32BE(from), bytes.readUInt32BE(from + 4), rest, codes.indexOf(at), depth, place);
  }

  /** It is known no more; false where it was not known. */
  forget(urlId: string): boolean {
    const low = parseInt(urlId.slice(8, 16), 16);
    const table = this.#tableOf(low);
    const at = table.find(parseInt(urlId.slice(0, 8), 16), low, restOf(urlId));
    if (table.slots[at + 2] === 0) return false;
    table.slots[at + 2] = (goneCode << 29) >>> 0;
    table.gone += 1;
    this.#size -= 1;
    return true;
  }

  #put(high: number, low: number, rest: number, code: number, depth: number, place: number): void {
    let table = this.#tableOf(low);
    let slot = table.find(high, low, rest);
    if (table.slots[slot + 2] === 0) {
      if (table.isFull) {
        this.#grow(table, low);
        table = this.#tableOf(low);
        slot = table.find(high, low, rest);
      }
      table.size += 1;
      this.#size += 1;
    }
    const number = code === settledCode ? rest : place;
    const { slots } = table;
    slots[slot] = high;
    slots[slot + 1] = low;
    slots[slot + 2] = ((code << 29) | (Math.min(depth, depthMax) << 16) | Math.floor(number / word)) >>> 0;
    slots[slot + 3] = number >>> 0;
  }

  /** Room for so many at once, before the first is set: tables that grow on the way there are copied again and again. */
  reserve(count: number): void {
    if (this.#size > 0 || count < singleMax) return;
    const mean = count / tablesMany;
    const capacity = Math.ceil((mean + spread * Math.sqrt(mean)) / fillMax);
    this.#tables = Array.from({ length: tablesMany }, () => new Table(capacity));
  }

  clear(): void {
    this.#tables = [new Table(8)];
    this.#size = 0;
  }

  /** Bytes of the tables. */
  get bytes(): number {
    return this.#tables.reduce((sum, { slots }) => sum + slots.byteLength, 0);
  }

  #tableOf(low: number): Table {
    const table = this.#tables[low % this.#tables.length];
    if (table === undefined) throw new Error("no table for a URL id");
    return table;
  }

  /** Made anew without what was forgotten, and larger unless that was much. */
  #grow(full: Table, low: number): void {
    if (this.#tables.length === 1 && this.#size >= singleMax) {
      const capacity = Math.ceil((this.#size / tablesMany / fillMax) * growth * 2);
      this.#tables = Array.from({ length: tablesMany }, () => new Table(capacity));
    } else {
      const isMostlyGone = full.gone > full.size / 2;
      const factor = isMostlyGone ? 1 : this.#tables.length === 1 ? 2 : growth;
      this.#tables[low % this.#tables.length] = new Table(Math.ceil(full.capacity * factor));
    }
    for (let at = 0; at < full.slots.length; at += words) {
      const code = (full.slots[at + 2] ?? 0) >>> 29;
      if (code !== 0 && code !== goneCode) this.#move(full, at);
    }
  }

  #move({ slots }: Table, from: number): void {
    const low = slots[from + 1] ?? 0;
    const to = this.#tableOf(low);
    let index = Math.floor(((slots[from] ?? 0) / word) * to.capacity);
    while (to.slots[index * words + 2] !== 0) index = (index + 1) % to.capacity;
    to.slots.set(slots.subarray(from, from + words), index * words);
    to.size += 1;
  }
}

/** The 48 bits of the id that follow the first 64. */
function restOf(urlId: string): number {
  return parseInt(urlId.slice(16, 28), 16);
}
