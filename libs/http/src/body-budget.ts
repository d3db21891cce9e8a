/** Memory of bodies that take their time, of all requests of a client together. */

/** From this on a body counts as slow: quick ones are few at a time, and soon gone. */
const slowAfterMs = 2_000;

export class BodyBudget {
  readonly bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  /** Held by bodies that are not complete, quick ones too. */
  get bytes(): number {
    return this.#bytes;
  }

  /** A body has grown by so many bytes, or with a negative number given them back. */
  take(bytes: number): void {
    this.#bytes += bytes;
  }

  /** Whether a body that has come for so long has to go. */
  isShortFor(ageMs: number): boolean {
    return ageMs > slowAfterMs && this.#bytes > this.bytesMax;
  }
}
