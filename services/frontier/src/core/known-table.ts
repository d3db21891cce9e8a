import { gone, isGone, isOf, word, words, type Sought } from "./known-slots.ts";

const slotsFirst = 8;
const fillMax = 0.8;

/** Known URLs in memory, for the first few thousand of a job: a hash table that doubles. */
export class KnownTable {
  /** Free ones and forgotten ones among them. */
  slots = new Uint32Array(slotsFirst * words);
  /** Slots that are not free, those that are gone among them. */
  #filled = 0;
  #gone = 0;

  get bytes(): number {
    return this.slots.byteLength;
  }

  /** Copies what is found to `into`, and answers whether it was. */
  get(sought: Sought, into: Uint32Array): boolean {
    const at = this.#find(sought);
    if (this.slots[at + 2] === 0) return false;
    into.set(this.slots.subarray(at, at + words));
    return true;
  }

  /** Answers whether it was not there. */
  put(sought: Sought, slot: Uint32Array): boolean {
    let at = this.#find(sought);
    const isNew = this.slots[at + 2] === 0;
    if (isNew && this.#filled * words >= this.slots.length * fillMax) {
      this.#grow();
      at = this.#find(sought);
    }
    if (isNew) this.#filled += 1;
    this.slots.set(slot, at);
    return isNew;
  }

  forget(sought: Sought): boolean {
    const at = this.#find(sought);
    if (this.slots[at + 2] === 0) return false;
    this.slots[at + 2] = gone;
    this.#gone += 1;
    return true;
  }

  /** First word of the slot that has the id, or of the free one where it would be. */
  #find(sought: Sought): number {
    const { slots } = this;
    let at = this.#home(sought.high);
    while (slots[at + 2] !== 0 && !isOf(slots, at, sought)) at = at + words === slots.length ? 0 : at + words;
    return at;
  }

  #home(high: number): number {
    return Math.floor((high / word) * (this.slots.length / words)) * words;
  }

  /** Made anew without what was forgotten, and larger unless that was much. */
  #grow(): void {
    const former = this.slots;
    const factor = this.#gone > this.#filled / 2 ? 1 : 2;
    this.slots = new Uint32Array(former.length * factor);
    for (let from = 0; from < former.length; from += words) {
      const flags = former[from + 2] ?? 0;
      if (flags === 0 || isGone(flags)) continue;
      let at = this.#home(former[from] ?? 0);
      while (this.slots[at + 2] !== 0) at = at + words === this.slots.length ? 0 : at + words;
      this.slots.set(former.subarray(from, from + words), at);
    }
    this.#filled -= this.#gone;
    this.#gone = 0;
  }
}
