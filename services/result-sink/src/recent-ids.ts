/**
 * Ids seen lately, each once: at least the last `idsMax` of them, at most twice as many. Two generations, so
 * that the oldest go all at once and no id costs more than a lookup.
 */
export class RecentIds {
  readonly #idsMax: number;
  #young = new Set<string>();
  #old: ReadonlySet<string> = new Set();

  constructor(idsMax: number) {
    this.#idsMax = idsMax;
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  clear(): void {
    this.#young = new Set();
    this.#old = new Set();
  }

  has(id: string): boolean {
    return this.#young.has(id) || this.#old.has(id);
  }

  add(id: string): void {
    if (this.#young.has(id)) return;
    if (this.#young.size >= this.#idsMax) {
      this.#old = this.#young;
      this.#young = new Set();
    }
    this.#young.add(id);
  }
}
