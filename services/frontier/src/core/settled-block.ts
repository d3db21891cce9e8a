/** URLs that came to their end, many under one key: only that each is known matters now. */
import type { Settled } from "./entry.ts";
import { depthMax, type KnownUrls } from "./known-urls.ts";

/** URLs in a block: one that is being filled is written anew with each commit. */
const urlsMax = 32;
/** A URL's 18 bytes in base64: 16 of the id, then 2 bits of how it ended (0: as was said before) and 14 of its depth. */
const chars = 24;
const codes: Readonly<Record<Settled, number>> = { done: 1, failed: 2, skipped: 3 };

/** The last block of a view: full ones are never touched again. */
export class SettledBlock {
  #index = 0;
  #text = "";

  get index(): number {
    return this.#index;
  }

  get text(): string {
    return this.#text;
  }

  add(urlId: string, how: Settled, depth: number): void {
    this.#add(urlId, codes[how], depth);
  }

  /** One that came to its end before, now known at a lesser depth: what comes later counts. */
  addNearer(urlId: string, depth: number): void {
    this.#add(urlId, 0, depth);
  }

  #add(urlId: string, code: number, depth: number): void {
    if (this.#text.length >= urlsMax * chars) {
      this.#index += 1;
      this.#text = "";
    }
    const tail = ((code << 14) | Math.min(depth, depthMax)).toString(16).padStart(4, "0");
    this.#text += Buffer.from(urlId + tail, "hex").toString("base64url");
  }

  /** Takes up the block that was stored last. */
  continue(index: number, text: string): void {
    this.#index = index;
    this.#text = text;
  }

  clear(): void {
    this.#index = 0;
    this.#text = "";
  }
}

/** Makes the URLs of a stored block known. */
export function readBlock(text: string, known: KnownUrls): void {
  const bytes = Buffer.from(text, "base64url");
  for (let at = 0; at + 18 <= bytes.length; at += 18)
    known.add(bytes, at, "settled", bytes.readUInt16BE(at + 16) & 0x3fff);
}
