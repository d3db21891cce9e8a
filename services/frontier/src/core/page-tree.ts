/** Hashes are numbers below this. */
const hashEnd = 2 ** 32;

/** Hashes below `at` are under `below`, the others under `above`. */
class Fork<P> {
  readonly at: number;
  below: P | Fork<P>;
  above: P | Fork<P>;

  constructor(at: number, below: P | Fork<P>, above: P | Fork<P>) {
    this.at = at;
    this.below = below;
    this.above = above;
  }
}

/** As good as random, and always the same: from 0 to 1. */
const drawn = (from: number, to: number): number => (Math.imul(from ^ (to - 1), 0x9e3779b1) >>> 0) / hashEnd;

/**
 * Where the hashes from `from` to `to` are parted: not in the middle, and not alike everywhere. Else all pages would be full at
 * the same time, and half empty the moment after.
 */
const partedAt = (from: number, to: number): number =>
  from + Math.ceil((to - from) * (0.38 + 0.24 * drawn(from, to)));

/** Of whom a page is to have the slots, by their hash. */
export type Wanted = (hash: number) => boolean;

/**
 * Pages by their slots' hashes: one that is full is split in two, and no other is touched (as in extendible hashing; Fagin et al.
 * 1979).
 */
export class PageTree<P extends object> {
  #root: P | Fork<P>;
  #pageCount: number;

  constructor(root: P | Fork<P>, pageCount = 1) {
    this.#root = root;
    this.#pageCount = pageCount;
  }

  /** A tree of the pages that so many slots need, where none has more than `max` of them on average, and some as few as 0.7 of that. */
  static for<P extends object>(slots: number, max: number, make: () => P): PageTree<P> {
    const whole = (hashEnd * max) / Math.max(1, slots);
    const starts = [0];
    for (let end = 0; ; starts.push(end)) {
      end += Math.ceil(whole * (0.7 + 0.3 * drawn(end, 0)));
      // Not even for what is no number does it go on.
      if (!(end < hashEnd)) break;
    }
    const made = (first: number, last: number): P | Fork<P> => {
      if (first === last) return make();
      const middle = Math.ceil((first + last) / 2);
      return new Fork(starts[middle] ?? 0, made(first, middle - 1), made(middle, last));
    };
    return new PageTree(made(0, starts.length - 1), starts.length);
  }

  get pageCount(): number {
    return this.#pageCount;
  }

  of(hash: number): P {
    let node = this.#root;
    while (node instanceof Fork) node = hash < node.at ? node.below : node.above;
    return node;
  }

  /** In the place of the page of this hash come two, each made for the hashes that are wanted there. */
  split(hash: number, make: (wanted: Wanted) => P): void {
    const { fork, from, to } = this.#above(hash);
    const at = partedAt(from, to);
    if (at >= to) throw new Error("a page of URLs shares the 32 bits of their hashes");
    const below = make((other) => other < at);
    this.#put(
      hash,
      fork,
      new Fork(
        at,
        below,
        make((other) => other >= at),
      ),
    );
    this.#pageCount += 1;
  }

  /** In the place of the page of this hash comes another one. */
  replace(hash: number, page: P): void {
    this.#put(hash, this.#above(hash).fork, page);
  }

  /** The same tree of other pages. */
  map<Q extends object>(make: (page: P) => Q): PageTree<Q> {
    const mapped = (node: P | Fork<P>): Q | Fork<Q> =>
      node instanceof Fork ? new Fork(node.at, mapped(node.below), mapped(node.above)) : make(node);
    return new PageTree(mapped(this.#root), this.#pageCount);
  }

  *pages(node = this.#root): Generator<P, void, undefined> {
    if (!(node instanceof Fork)) yield node;
    else {
      yield* this.pages(node.below);
      yield* this.pages(node.above);
    }
  }

  /** What leads to the page of this hash, null where nothing does, and which hashes the page has. */
  #above(hash: number): { readonly fork: Fork<P> | null; readonly from: number; readonly to: number } {
    let fork: Fork<P> | null = null;
    let [from, to] = [0, hashEnd];
    for (let node = this.#root; node instanceof Fork; node = hash < node.at ? node.below : node.above) {
      fork = node;
      if (hash < node.at) to = node.at;
      else from = node.at;
    }
    return { fork, from, to };
  }

  #put(hash: number, fork: Fork<P> | null, by: P | Fork<P>): void {
    if (fork === null) this.#root = by;
    else if (hash < fork.at) fork.below = by;
    else fork.above = by;
  }
}
