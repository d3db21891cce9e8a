/** What happened in a simulation, line by line: a hash of all of it, and each line to whoever listens. */
import type { SimClock } from "./clock.ts";

export class Trace {
  readonly #clock: SimClock;
  readonly #onLine: ((line: string) => void) | undefined;
  #low = 0x811c9dc5;
  #high = 0x1b873593;
  #lines = 0;

  constructor(clock: SimClock, onLine?: (line: string) => void) {
    this.#clock = clock;
    this.#onLine = onLine;
  }

  add(who: string, event: string, detail: string): void {
    const line = `${this.#clock.nowMs()} ${who} ${event} ${detail}`;
    this.#lines++;
    for (let i = 0; i < line.length; i++) {
      const char = line.charCodeAt(i);
      this.#low = Math.imul(this.#low ^ char, 0x01000193);
      this.#high = Math.imul(this.#high ^ char, 0x5bd1e995) + 1;
    }
    this.#onLine?.(line);
  }

  get lines(): number {
    return this.#lines;
  }

  /** 16 hex digits over all lines so far. */
  get hash(): string {
    return [this.#high, this.#low].map((half) => (half >>> 0).toString(16).padStart(8, "0")).join("");
  }
}

/** Eight hex digits over the bytes, so that a trace tells records of the same place apart. */
export function digest(parts: Iterable<Buffer | null>): string {
  let hash = 0x811c9dc5;
  for (const part of parts) {
    hash = Math.imul(hash ^ (part === null ? -1 : part.length), 0x01000193);
    const bytes = part ?? empty;
    // By index: a simulation spends a good part of its time here.
    for (let i = 0; i < bytes.length; i++) hash = Math.imul(hash ^ (bytes[i] ?? 0), 0x01000193);
  }
  return (hash >>> 0).toString(16).padStart(8, "0");
}

const empty = Buffer.alloc(0);
