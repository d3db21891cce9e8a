import { SluiceError, messageOf } from "@sluice/errors";
import { scratchPageBytes, type Scratch } from "@sluice/topology";
import { closeSync, ftruncateSync, openSync, readSync, rmSync, writeSync } from "node:fs";

/**
 * Scratch in a file without a name: the system takes the room back when it is closed, or when the process ends, however it
 * does. What is read and written often stays in the system's cache, which is given up for others where memory is short.
 */
export class DiskScratch implements Scratch {
  readonly #path: string;
  #file: number | null = null;
  /** Pages that the file has room for, and those of them that are not in use. */
  #pages = 0;
  #spare: number[] = [];

  /** @param path where the file is made, at the first page */
  constructor(path: string) {
    this.#path = path;
  }

  get bytes(): number {
    return (this.#pages - this.#spare.length) * scratchPageBytes;
  }

  take(): number {
    const page = this.#spare.pop();
    if (page !== undefined) return page;
    this.#pages += 1;
    return this.#pages - 1;
  }

  giveBack(page: number): void {
    this.#spare.push(page);
    if (this.#spare.length < this.#pages) return;
    this.#pages = 0;
    this.#spare = [];
    if (this.#file !== null) ftruncateSync(this.#file, 0);
  }

  read(page: number, into: Uint8Array, from: number): void {
    const file = this.#file ?? this.#open();
    let count = 0;
    try {
      count = readSync(file, into, 0, into.length, page * scratchPageBytes + from);
    } catch (error) {
      throw this.#failed(error);
    }
    if (count !== into.length)
      throw this.#failed(new Error(`${count} of ${into.length} bytes of page ${page}`));
  }

  write(page: number, bytes: Uint8Array): void {
    const file = this.#file ?? this.#open();
    let count = 0;
    try {
      // A disk that is nearly full takes a part, and refuses the rest.
      while (count < bytes.length)
        count += writeSync(file, bytes, count, bytes.length - count, page * scratchPageBytes + count);
    } catch (error) {
      throw this.#failed(error);
    }
  }

  close(): void {
    if (this.#file !== null) closeSync(this.#file);
    this.#file = null;
    this.#pages = 0;
    this.#spare = [];
  }

  #open(): number {
    try {
      const file = openSync(this.#path, "w+", 0o600);
      this.#file = file;
      rmSync(this.#path);
      return file;
    } catch (error) {
      throw this.#failed(error);
    }
  }

  #failed(error: unknown): SluiceError {
    return new SluiceError("SLUICE_STATE_FAILED", `${this.#path} failed: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
