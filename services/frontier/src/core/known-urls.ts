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

/** A slot is four words: 64 bits of the id, then 3 of whereabouts, 13 of depth, and 48 of place. */
const words = 4;
/** Slots in a piece of memory. Pieces are alike and stay, so that the allocator has no gaps between what came and went. */
const pieceSlots = 8192;
const word = 2 ** 32;

/** The slots, in the order in which they were taken. */
class Slots {
  #pieces: Uint32Array[] = [];
  #taken = 0;
  #free: number[] = [];

  get bytes(): number {
    return this.#pieces.reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  /** Where the words of a slot begin, in the piece that `pieceOf` answers. */
  static begin(slot: number): number {
    return (slot % pieceSlots) * words;
  }

  pieceOf(slot: number): Uint32Array {
    const piece = this.#pieces[Math.floor(slot / pieceSlots)];
    if (piece === undefined) throw new Error("no such slot");
    return piece;
  }

  take(): number {
    const freed = this.#free.pop();
    if (freed !== undefined) return freed;
    const slot = this.#taken;
    this.#taken += 1;
    const at = Math.floor(slot / pieceSlots);
    const piece = this.#pieces[at];
    if (piece === undefined) this.#pieces.push(new Uint32Array((at === 0 ? 8 : pieceSlots) * words));
    else if (Slots.begin(slot) >= piece.length) {
      // The first one begins small: most jobs have few URLs in a task.
      const larger = new Uint32Array(piece.length * 2);
      larger.set(piece);
      this.#pieces[at] = larger;
    }
    return slot;
  }

  giveBack(slot: number): void {
    this.#free.push(slot);
  }
}

/** An entry is 27 bits of slot, from 1, and 5 of the id, so that few slots are looked at in vain. */
const tagBits = 5;
const tagMask = 2 ** tagBits - 1;
const slotsMax = 2 ** (32 - tagBits) - 2;
/** An entry whose URL was forgotten: what lies beyond is still found. */
const gone = 1;
/** Entries of an index, beyond which it is split in two: none is large, so no step has much to move. */
const entriesMax = 2048;
const fillMax = 0.85;
/** For what is in an index while it is filled anew. */
const moved = new Uint32Array(entriesMax);

/** Where the slots of the URLs are whose ids end alike: 4 bytes an entry, by how the ids begin. */
class Index {
  entries: Uint32Array;
  /** Last bits of the first 64 of their ids in which its URLs are alike. */
  bits: number;
  /** Entries that are not free, `gone` among them. */
  used = 0;
  live = 0;

  constructor(capacity: number, bits: number) {
    this.entries = new Uint32Array(capacity);
    this.bits = bits;
  }

  get isFull(): boolean {
    return this.used >= this.entries.length * fillMax;
  }
}

/**
 * A hash table in typed arrays, about 22 bytes a URL, whatever the URL's length. It holds 112 bits
 * of the id of a settled URL and 64 of one that is open, so two URLs are taken for one with a chance of about
 * n² / 2^65 among n that are open at a time: 1 in 370,000 for ten million.
 */
export class KnownUrls {
  #slots = new Slots();
  /** By the last bits of the first 64 of an id, as many as the index with the most has. */
  #indexes: Index[] = [new Index(8, 0)];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** @param urlId 32 hexadecimal digits */
  get(urlId: string): Known | null {
    const low = parseInt(urlId.slice(8, 16), 16);
    const index = this.#indexOf(low);
    const at = this.#find(index, parseInt(urlId.slice(0, 8), 16), low, restOf(urlId));
    const entry = index.entries[at] ?? 0;
    if (entry === 0) return null;
    const slot = slotOf(entry);
    const piece = this.#slots.pieceOf(slot);
    const begin = Slots.begin(slot);
    const flags = piece[begin + 2] ?? 0;
    const whereabouts = codes[flags >>> 29];
    if (whereabouts === null || whereabouts === undefined) throw new Error("a slot that nobody took");
    const place = whereabouts === "settled" ? 0 : (flags & 0xffff) * word + (piece[begin + 3] ?? 0);
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
    const index = this.#indexOf(low);
    const at = this.#find(index, parseInt(urlId.slice(0, 8), 16), low, restOf(urlId));
    const entry = index.entries[at] ?? 0;
    if (entry === 0) return false;
    this.#slots.giveBack(slotOf(entry));
    index.entries[at] = gone;
    index.live -= 1;
    this.#size -= 1;
    return true;
  }

  #put(high: number, low: number, rest: number, code: number, depth: number, place: number): void {
    let index = this.#indexOf(low);
    let at = this.#find(index, high, low, rest);
    let entry = index.entries[at] ?? 0;
    if (entry === 0) {
      while (index.isFull) {
        this.#makeRoom(index, low);
        index = this.#indexOf(low);
        at = this.#find(index, high, low, rest);
      }
      const taken = this.#slots.take();
      if (taken > slotsMax) throw new Error(`a task knows more than ${slotsMax} URLs of one run`);
      entry = (((taken + 1) << tagBits) | tagOf(low)) >>> 0;
      index.entries[at] = entry;
      index.used += 1;
      index.live += 1;
      this.#size += 1;
    }
    const number = code === settledCode ? rest : place;
    const slot = slotOf(entry);
    const piece = this.#slots.pieceOf(slot);
    const begin = Slots.begin(slot);
    piece[begin] = high;
    piece[begin + 1] = low;
    piece[begin + 2] = ((code << 29) | (Math.min(depth, depthMax) << 16) | Math.floor(number / word)) >>> 0;
    piece[begin + 3] = number >>> 0;
  }

  /** Where the entry of the id is, or the free one where it would be. */
  #find({ entries }: Index, high: number, low: number, rest: number): number {
    const tag = tagOf(low);
    const capacity = entries.length;
    for (let at = Math.floor((high / word) * capacity); ; at = at + 1 === capacity ? 0 : at + 1) {
      const entry = entries[at] ?? 0;
      if (entry === 0) return at;
      if ((entry & tagMask) !== tag || entry === gone) continue;
      const slot = slotOf(entry);
      const piece = this.#slots.pieceOf(slot);
      const begin = Slots.begin(slot);
      if (piece[begin] !== high || piece[begin + 1] !== low) continue;
      // A settled URL has no place, and room for more of its id.
      const flags = piece[begin + 2] ?? 0;
      if (flags >>> 29 !== settledCode) return at;
      if ((flags & 0xffff) * word + (piece[begin + 3] ?? 0) === rest) return at;
    }
  }

  clear(): void {
    this.#slots = new Slots();
    this.#indexes = [new Index(8, 0)];
    this.#size = 0;
  }

  /** Bytes of slots and indexes. */
  get bytes(): number {
    return [...new Set(this.#indexes)].reduce(
      (sum, { entries }) => sum + entries.byteLength,
      this.#slots.bytes,
    );
  }

  #indexOf(low: number): Index {
    const index = this.#indexes[low & (this.#indexes.length - 1)];
    if (index === undefined) throw new Error("no index for a URL id");
    return index;
  }

  /** The index is filled anew without what was forgotten; where that was little it becomes larger first, or two. */
  #makeRoom(full: Index, low: number): void {
    const capacity = full.entries.length;
    moved.set(full.entries);
    if (full.live > full.used / 2) {
      if (capacity < entriesMax) full.entries = new Uint32Array(capacity * 2);
      else this.#split(full, low);
    }
    full.entries.fill(0);
    full.used = 0;
    full.live = 0;
    for (const entry of moved.subarray(0, capacity)) if (entry !== 0 && entry !== gone) this.#move(entry);
  }

  /** Of its URLs those with one more bit set belong to a new index. */
  #split(full: Index, low: number): void {
    if (2 ** full.bits === this.#indexes.length) this.#indexes.push(...this.#indexes);
    const bit = 2 ** full.bits;
    full.bits += 1;
    const other = new Index(full.entries.length, full.bits);
    for (let at = (low & (bit - 1)) + bit; at < this.#indexes.length; at += bit * 2)
      this.#indexes[at] = other;
  }

  #move(entry: number): void {
    const slot = slotOf(entry);
    const piece = this.#slots.pieceOf(slot);
    const begin = Slots.begin(slot);
    const to = this.#indexOf(piece[begin + 1] ?? 0);
    const { entries } = to;
    let at = Math.floor(((piece[begin] ?? 0) / word) * entries.length);
    while (entries[at] !== 0) at = (at + 1) % entries.length;
    entries[at] = entry;
    to.used += 1;
    to.live += 1;
  }
}

const slotOf = (entry: number): number => (entry >>> tagBits) - 1;

/** Not the bits by which an index is chosen. */
const tagOf = (low: number): number => low >>> (32 - tagBits);

/** The 48 bits of the id that follow the first 64. */
function restOf(urlId: string): number {
  return parseInt(urlId.slice(16, 28), 16);
}
