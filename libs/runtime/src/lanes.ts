/** Which item of which lane may start: in order within a lane, lanes side by side. */

/** A queue on an array with a moving head: no shifting, and what was taken is let go of. */
class Fifo<T> {
  #items: (T | undefined)[] = [];
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  /** Undefined only where the queue is empty (or where an undefined was pushed). */
  shift(): T | undefined {
    if (this.length === 0) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head++] = undefined;
    if (this.#head === this.#items.length) {
      this.#items = [];
      this.#head = 0;
    } else if (this.#head >= 32 && this.#head * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }
}

interface Lane<Item> {
  readonly name: string;
  readonly waiting: Fifo<{ readonly item: Item }>;
  started: number;
  /** It stands in the ring of lanes to be looked at by `take`. */
  inRing: boolean;
}

/**
 * Lanes of work. At most `widthOf(lane)` items of a lane are started and not finished; lanes take turns.
 *
 * A lane that is at its width leaves the ring and is looked at again only after `finish` or `refresh`, so
 * any number of blocked lanes costs `take` nothing: each call of `push`, `finish` or `refresh` causes at
 * most one look that finds nothing.
 */
export class Lanes<Item> {
  readonly #lanes = new Map<string, Lane<Item>>();
  readonly #ring = new Fifo<Lane<Item>>();
  #waiting = 0;
  #started = 0;

  /** Items pushed and not yet taken. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Items taken and not yet finished. */
  get started(): number {
    return this.#started;
  }

  /** Lanes with an item that waits or is started; all others are forgotten. */
  get size(): number {
    return this.#lanes.size;
  }

  push(name: string, item: Item): void {
    let lane = this.#lanes.get(name);
    if (lane === undefined) {
      lane = { name, waiting: new Fifo(), started: 0, inRing: false };
      this.#lanes.set(name, lane);
    }
    lane.waiting.push({ item });
    this.#waiting++;
    // Where others wait already, the lane is in the ring or known to be at its width.
    if (lane.waiting.length === 1) this.#enter(lane);
  }

  /**
   * Starts the next item, or null where none may start. `widthOf` is asked for the current width of a
   * lane; a width that shrinks holds at once, one that grows has to be told by `refresh`.
   */
  take(widthOf: (lane: string) => number): { lane: string; item: Item } | null {
    for (;;) {
      const lane = this.#ring.shift();
      if (lane === undefined) return null;
      lane.inRing = false;
      const width = widthOf(lane.name);
      if (lane.started >= width) continue;
      const first = lane.waiting.shift();
      if (first === undefined) throw new Error(`lane ${lane.name} is in the ring without an item`);
      this.#waiting--;
      this.#started++;
      lane.started++;
      if (lane.started < width) this.#enter(lane);
      return { lane: lane.name, item: first.item };
    }
  }

  /** One of the lane's started items is done. Throws where the lane has none. */
  finish(name: string): void {
    const lane = this.#lanes.get(name);
    if (lane === undefined || lane.started === 0) {
      throw new Error(`lane ${name} has no started item to finish`);
    }
    lane.started--;
    this.#started--;
    if (lane.waiting.length > 0) this.#enter(lane);
    else if (lane.started === 0) this.#lanes.delete(name);
  }

  /** Has the lane looked at again: its width may have grown. Unknown lanes are ignored. */
  refresh(name: string): void {
    const lane = this.#lanes.get(name);
    if (lane !== undefined) this.#enter(lane);
  }

  #enter(lane: Lane<Item>): void {
    if (lane.inRing || lane.waiting.length === 0) return;
    lane.inRing = true;
    this.#ring.push(lane);
  }
}
