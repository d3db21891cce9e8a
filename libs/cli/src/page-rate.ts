/** Pages per second over the last seconds. */

const spanMs = 10_000;
const spotsMax = 64;

export class PageRate {
  #spots: { readonly atMs: number; readonly pages: number }[] = [];

  note(nowMs: number, pages: number): void {
    this.#spots.push({ atMs: nowMs, pages });
    // One spot older than the span stays, so that the span is covered.
    while (
      this.#spots.length > 2 &&
      ((this.#spots[1]?.atMs ?? nowMs) <= nowMs - spanMs || this.#spots.length > spotsMax)
    ) {
      this.#spots.shift();
    }
  }

  perSecond(): number {
    const [first] = this.#spots;
    const last = this.#spots.at(-1);
    if (first === undefined || last === undefined || last.atMs <= first.atMs) return 0;
    return (Math.max(0, last.pages - first.pages) * 1000) / (last.atMs - first.atMs);
  }
}
