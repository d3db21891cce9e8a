/** Passes results on as they are written, never beyond what the sink has safely in its file. */
import { closeSync, openSync, readSync } from "node:fs";
import type { Clock } from "@sluice/runtime";
import type { OutFolder } from "./out-folder.ts";

const everyMs = 200;
const chunkBytes = 1024 * 1024;

export class ResultsFollower {
  readonly #folder: OutFolder;
  readonly #clock: Clock;
  readonly #write: (bytes: Uint8Array) => void;
  #position: number;
  #cancel: (() => void) | null = null;

  /** Begins at the safe end of the file as it is now: what an earlier part of the run wrote is not passed on again. */
  constructor(folder: OutFolder, clock: Clock, write: (bytes: Uint8Array) => void) {
    this.#folder = folder;
    this.#clock = clock;
    this.#write = write;
    this.#position = folder.safeBytes();
  }

  start(): void {
    this.#cancel = this.#clock.after(everyMs, () => {
      this.#pass();
      this.start();
    });
  }

  /** Passes on what is left and ends. */
  finish(): void {
    this.#cancel?.();
    this.#cancel = null;
    this.#pass();
  }

  #pass(): void {
    const end = this.#folder.safeBytes();
    if (end <= this.#position) return;
    const file = openSync(this.#folder.results, "r");
    try {
      while (this.#position < end) {
        const bytes = Buffer.alloc(Math.min(chunkBytes, end - this.#position));
        const count = readSync(file, bytes, 0, bytes.length, this.#position);
        if (count === 0) return;
        this.#write(bytes.subarray(0, count));
        this.#position += count;
      }
    } finally {
      closeSync(file);
    }
  }
}
