/** A body as it grows, never above its limit. */
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";

const firstBytes = 16_384;
/** Large enough for the allocator to take each from the system by itself, and to give it back at once. */
const pieceBytes = 262_144;
/** What comes after this of a body is packed where it is to be. */
const plainBytesMax = 1_048_576;
const fastest = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

interface Piece {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly isPacked: boolean;
}

export interface BodyBufferOptions {
  /** What the header promises; a promise costs no more than a piece. */
  readonly hint?: number | null;
  /**
   * The decoder keeps as much as it gives: what a bomb expands to is not kept a second time, but packed until the decoder
   * is gone.
   */
  readonly packs?: boolean;
}

/**
 * Copies what it is given, for two reasons: a body sent in a million tiny chunks would cost a
 * hundred times its size if the chunks were kept, and a body in a buffer of its own may be
 * transferred to another thread. Pieces of one size, since a buffer that grows is there twice while it is copied.
 */
export class BodyBuffer {
  readonly #bytesMax: number;
  readonly #packs: boolean;
  #full: Piece[] = [];
  #last: Uint8Array<ArrayBuffer>;
  #lastLength = 0;
  #length = 0;
  #heldBytes: number;

  constructor(bytesMax: number, { hint = null, packs = false }: BodyBufferOptions = {}) {
    this.#bytesMax = bytesMax;
    this.#packs = packs;
    this.#last = new Uint8Array(Math.min(bytesMax, pieceBytes, hint ?? firstBytes));
    this.#heldBytes = this.#last.length;
  }

  get length(): number {
    return this.#length;
  }

  /** Bytes of memory. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Takes what fits; false where not all of it did. */
  push(chunk: Uint8Array): boolean {
    const taken = chunk.subarray(0, this.#bytesMax - this.#length);
    for (let from = 0; from < taken.length;) {
      this.#makeRoom(taken.length - from);
      const part = taken.subarray(from, from + this.#last.length - this.#lastLength);
      this.#last.set(part, this.#lastLength);
      this.#lastLength += part.length;
      this.#length += part.length;
      from += part.length;
    }
    return taken.length === chunk.length;
  }

  /** The bytes in a buffer of exactly their length, once the decoder is gone; the body is empty afterwards. */
  take(): Uint8Array<ArrayBuffer> {
    const last = new Uint8Array(this.#last.buffer.transfer(this.#lastLength));
    const body = this.#full.length === 0 ? last : new Uint8Array(this.#length);
    let at = 0;
    for (const { bytes, isPacked } of this.#full) {
      const plain = isPacked ? zstdDecompressSync(bytes, { chunkSize: pieceBytes + 1 }) : bytes;
      body.set(plain, at);
      at += plain.length;
      plain.buffer.transfer(0);
    }
    if (body !== last) body.set(last, at);
    this.#full = [];
    this.#last = new Uint8Array(0);
    this.#lastLength = this.#length = this.#heldBytes = 0;
    return body;
  }

  /** The last piece has room for a byte at least. */
  #makeRoom(wantedBytes: number): void {
    const size = this.#last.length;
    if (this.#lastLength < size) return;
    if (size < pieceBytes) {
      const wanted = Math.min(pieceBytes, Math.max(size + wantedBytes, 2 * size, firstBytes));
      this.#last = new Uint8Array(this.#last.buffer.transfer(wanted));
      this.#heldBytes += wanted - size;
      return;
    }
    const packed = this.#packs && this.#length > plainBytesMax ? pack(this.#last) : this.#last;
    const isPacked = packed.length < size;
    this.#full.push({ bytes: isPacked ? packed : this.#last, isPacked });
    if (!isPacked) this.#last = new Uint8Array(pieceBytes);
    this.#heldBytes += isPacked ? packed.length : pieceBytes;
    this.#lastLength = 0;
  }
}

/** In a buffer of exactly its length. */
function pack(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(zstdCompressSync(bytes, fastest));
}
