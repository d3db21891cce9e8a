import { scratchPageBytes, type Scratch } from "@sluice/topology";
import { randomInt } from "node:crypto";
import { closeSync, ftruncateSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { stateFailed } from "./state-failed.ts";

/**
 * Scratch in a file without a name: the system takes the room back when it is closed, or when the process ends, however it
 * does. What is read and written often stays in the system's cache, which is given up for others where memory is short.
 */
export class DiskScratch implements Scratch {
  readonly salt = randomInt(2 ** 32);
  readonly #path: string;
  #file: number | null = null;
  #isClosed = false;
  /** Pages that the file has room for, and those of them that are not in use. */
  #pages = 0;
  readonly #spare = new Set<number>();

  /** @param path where the file is made, at the first page */
  constructor(path: string) {
    this.#path = path;
  }

  get bytes(): number {
    return (this.#pages - this.#spare.size) * scratchPageBytes;
  }

  take(): number {
    for (const page of this.#spare) {
      this.#spare.delete(page);
      return page;
    }
    this.#pages += 1;
    return this.#pages - 1;
  }

  giveBack(page: number): void {
    if (page >= this.#pages || this.#spare.has(page)) throw new Error(`page ${page} is not in use`);
    this.#spare.add(page);
    if (this.#spare.size < this.#pages) return;
    this.#pages = 0;
    this.#spare.clear();
    this.#guarded(() => {
      if (this.#file !== null) ftruncateSync(this.#file, 0);
    });
  }

  read(page: number, into: Uint8Array, from: number): void {
    const file = this.#file ?? this.#open();
    let count = 0;
    // Not by `guarded`: every known link comes by.
    try {
      count = readSync(file, into, 0, into.length, page * scratchPageBytes + from);
    } catch (error) {
      throw stateFailed(this.#path, "failed", error);
    }
    if (count !== into.length)
      throw stateFailed(this.#path, "failed", new Error(`${count} of ${into.length} bytes of page ${page}`));
  }

  write(page: number, bytes: Uint8Array, from: number): void {
    const file = this.#file ?? this.#open();
    if (from + bytes.length > scratchPageBytes) throw new Error(`page ${page} has no room for that`);
    this.#guarded(() => {
      let count = 0;
      // A disk that is nearly full takes a part, and refuses the rest.
      while (count < bytes.length)
        count += writeSync(file, bytes, count, bytes.length - count, page * scratchPageBytes + from + count);
    });
  }

  /** It is of no use any more. */
  close(): void {
    const file = this.#file;
    this.#file = null;
    this.#isClosed = true;
    if (file !== null) this.#guarded(() => closeSync(file));
  }

  #open(): number {
    if (this.#isClosed) throw new Error(`${this.#path} is closed`);
    return this.#guarded(() => {
      const file = openSync(this.#path, "w+", 0o600);
      this.#file = file;
      rmSync(this.#path);
      return file;
    });
  }

  #guarded<T>(act: () => T): T {
    try {
      return act();
    } catch (error) {
      throw stateFailed(this.#path, "failed", error);
    }
  }
}
