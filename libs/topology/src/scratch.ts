/** Bytes of a page of scratch. */
export const scratchPageBytes = 65_536;

/**
 * Room outside the process's memory for what a state has built of its durable entries, in pages. Nothing of it outlives the state:
 * the next one is loaded with room of its own. Reads and writes are at once, and a failed one is the end of the task.
 */
export interface Scratch {
  /** 32 bits that nobody outside can know, for hash tables whose keys others choose. Those of a simulation are the same each time. */
  readonly salt: number;
  /** A page with anything in it, to be written before it is read. */
  take(): number;
  giveBack(page: number): void;
  /** Fills `into` with what lies in the page from this byte on. */
  read(page: number, into: Uint8Array, from: number): void;
  /** The page has the bytes from this byte on. */
  write(page: number, bytes: Uint8Array, from: number): void;
  /** Bytes of the pages that were taken and not given back. */
  readonly bytes: number;
}

/** Scratch in memory, e.g. that of a test or of a simulation. */
export class MemoryScratch implements Scratch {
  readonly salt = 0x5eed;
  readonly #pages = new Map<number, Uint8Array>();
  #next = 0;

  get bytes(): number {
    return this.#pages.size * scratchPageBytes;
  }

  take(): number {
    this.#next += 1;
    this.#pages.set(this.#next, new Uint8Array(scratchPageBytes));
    return this.#next;
  }

  giveBack(page: number): void {
    if (!this.#pages.delete(page)) throw new Error(`page ${page} is not in use`);
  }

  read(page: number, into: Uint8Array, from: number): void {
    into.set(this.#of(page).subarray(from, from + into.length));
  }

  write(page: number, bytes: Uint8Array, from: number): void {
    this.#of(page).set(bytes, from);
  }

  #of(page: number): Uint8Array {
    const bytes = this.#pages.get(page);
    if (bytes === undefined) throw new Error(`page ${page} is not in use`);
    return bytes;
  }
}
