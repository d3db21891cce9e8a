/** By the next bit of the hash. */
class Fork<P> {
  zero: P | Fork<P>;
  one: P | Fork<P>;

  constructor(zero: P | Fork<P>, one: P | Fork<P>) {
    this.zero = zero;
    this.one = one;
  }
}

const isOne = (hash: number, bit: number): boolean => ((hash >>> (31 - bit)) & 1) === 1;

/** Of whom a page is to have the slots: those whose hash is as `hash` in the bits that lead to the page. */
export type Wanted = (hash: number) => boolean;

/**
 * Pages by the first bits of their slots' hashes: one that is full is split in two by the next bit, and no other is touched
 * (extendible hashing; Fagin et al. 1979).
 */
export class PageTree<P extends object> {
  #root: P | Fork<P>;
  #pageCount: number;

  constructor(root: P | Fork<P>, pageCount = 1) {
    this.#root = root;
    this.#pageCount = pageCount;
  }

  /** A tree of two to the power of `bits` pages. */
  static even<P extends object>(bits: number, make: () => P): PageTree<P> {
    const below = (left: number): P | Fork<P> =>
      left === 0 ? make() : new Fork(below(left - 1), below(left - 1));
    return new PageTree(below(bits), 2 ** bits);
  }

  get pageCount(): number {
    return this.#pageCount;
  }

  of(hash: number): P {
    let node = this.#root;
    for (let bit = 0; node instanceof Fork; bit += 1) node = isOne(hash, bit) ? node.one : node.zero;
    return node;
  }

  /** In the place of the page of this hash come two, each made for the hashes that are wanted there. */
  split(hash: number, make: (wanted: Wanted) => P): void {
    const [fork, bit] = this.#above(hash);
    if (bit > 31) throw new Error("a page of URLs shares the 32 bits of their hashes");
    const zero = make((other) => !isOne(other, bit));
    this.#replace(
      hash,
      fork,
      bit,
      new Fork(
        zero,
        make((other) => isOne(other, bit)),
      ),
    );
    this.#pageCount += 1;
  }

  /** In the place of the page of this hash comes another one. */
  replace(hash: number, page: P): void {
    this.#replace(hash, ...this.#above(hash), page);
  }

  /** The same tree of other pages. */
  map<Q extends object>(make: (page: P) => Q): PageTree<Q> {
    const mapped = (node: P | Fork<P>): Q | Fork<Q> =>
      node instanceof Fork ? new Fork(mapped(node.zero), mapped(node.one)) : make(node);
    return new PageTree(mapped(this.#root), this.#pageCount);
  }

  *pages(node = this.#root): Generator<P, void, undefined> {
    if (!(node instanceof Fork)) yield node;
    else {
      yield* this.pages(node.zero);
      yield* this.pages(node.one);
    }
  }

  /** What leads to the page of this hash, null where nothing does, and the bit that comes next. */
  #above(hash: number): readonly [Fork<P> | null, number] {
    let fork: Fork<P> | null = null;
    let node = this.#root;
    let bit = 0;
    for (; node instanceof Fork; bit += 1) {
      fork = node;
      node = isOne(hash, bit) ? node.one : node.zero;
    }
    return [fork, bit];
  }

  #replace(hash: number, fork: Fork<P> | null, bit: number, by: P | Fork<P>): void {
    if (fork === null) this.#root = by;
    else if (isOne(hash, bit - 1)) fork.one = by;
    else fork.zero = by;
  }
}
