/** URLs that came to their end, many under one key: only that each is known matters now. */
import type { Settled } from "./entry.ts";
import { keys } from "./keys.ts";
import { depthMax } from "./known-slots.ts";
import type { KnownUrls } from "./known-urls.ts";
import { put } from "./put.ts";
import type { Effects } from "./effects.ts";
import type { FrontierState } from "./state.ts";

/** URLs in a block: one that is being filled is written anew with each. */
export const urlsMax = 16;
/** A URL's 18 bytes in base64: 16 of the id, then 2 bits of how it ended (0: as was said before) and 14 of its depth. */
const chars = 24;
const bytesOfUrl = 18;
const codes: Readonly<Record<Settled | "nearer", number>> = { nearer: 0, done: 1, failed: 2, skipped: 3 };

/** A URL's part of a block. `nearer`: one that had come to its end is known at a lesser depth, and what comes later counts. */
export function settledText(urlId: string, how: Settled | "nearer", depth: number): string {
  const tail = ((codes[how] << 14) | Math.min(depth, depthMax)).toString(16).padStart(4, "0");
  return Buffer.from(urlId + tail, "hex").toString("base64url");
}

/** Stores it of a URL. Its host has blocks of its own, so that all that is known of one can go. */
export function putSettled(
  state: FrontierState,
  view: number,
  host: string,
  { urlId, depth }: { readonly urlId: string; readonly depth: number },
  how: Settled | "nearer",
  out: Effects,
): void {
  const [last] = state.entries.first(keys.settledOn(view, host), 1);
  const [key, text] = last === undefined ? [keys.settled(view, host, 0), ""] : (last as [string, string]);
  const added = settledText(urlId, how, depth);
  if (text.length < urlsMax * chars) put(state, out, key, text + added);
  else put(state, out, keys.settled(view, host, keys.blockOf(key) + 1), added);
}

/** Makes the URLs of a stored block known. */
export function readBlock(text: string, known: KnownUrls): void {
  const bytes = Buffer.from(text, "base64url");
  for (let at = 0; at + bytesOfUrl <= bytes.length; at += bytesOfUrl)
    known.addSettled(bytes, at, bytes.readUInt16BE(at + 16) & 0x3fff);
}

/** Ids of the URLs of a stored block; one may be there twice. */
export function idsOf(text: string): readonly string[] {
  const bytes = Buffer.from(text, "base64url");
  const ids: string[] = [];
  for (let at = 0; at + bytesOfUrl <= bytes.length; at += bytesOfUrl)
    ids.push(bytes.toString("hex", at, at + 16));
  return ids;
}
