/** A body as it grows, never above its limit. */

const firstBytes = 16_384;
const hintBytesMax = 262_144;

/**
 * Copies what it is given, for two reasons: a body sent in a million tiny chunks would cost a
 * hundred times its size if the chunks were kept, and a body in a buffer of its own may be
 * transferred to another thread.
 */
export class BodyBuffer {
  readonly #bytesMax: number;
  #bytes: Uint8Array<ArrayBuffer>;
  #length = 0;

  /** `hint` is what the header promises; a promise costs no more than 256 KiB. */
  constructor(bytesMax: number, hint: number | null) {
    this.#bytesMax = bytesMax;
    this.#bytes = new Uint8Array(
      Math.min(bytesMax, hint === null ? firstBytes : Math.min(hint, hintBytesMax)),
    );
  }

  get length(): number {
    return this.#length;
  }

  /** Bytes of memory. */
  get capacity(): number {
    return this.#bytes.length;
  }

  /** Takes what fits; false where not all of it did. */
  push(chunk: Uint8Array): boolean {
    const fits = chunk.length <= this.#bytesMax - this.#length;
    const taken = fits ? chunk : chunk.subarray(0, this.#bytesMax - this.#length);
    const needed = this.#length + taken.length;
    if (needed > this.#bytes.length) {
      const capacity = Math.min(this.#bytesMax, Math.max(needed, 2 * this.#bytes.length, firstBytes));
      this.#bytes = new Uint8Array(this.#bytes.buffer.transfer(capacity));
    }
    this.#bytes.set(taken, this.#length);
    this.#length = needed;
    return fits;
  }

  /** The bytes in a buffer of exactly their length; the body is empty afterwards. */
  take(): Uint8Array<ArrayBuffer> {
    const bytes =
      this.#bytes.length === this.#length
        ? this.#bytes
        : new Uint8Array(this.#bytes.buffer.transfer(this.#length));
    this.#bytes = new Uint8Array(0);
    this.#length = 0;
    return bytes;
  }
}
