/** One path pattern of robots.txt, compared octet by octet (RFC 9309 §2.2.2, §2.2.3). */
import { charSet, normalizePercent, queryChars, union, without } from "./percent.ts";

const wildcards = charSet("*$");

/** Characters that stay as they are on both sides of a comparison; "*" and "$" of a path are literal, so escaped. */
const comparedChars = without(union(queryChars, charSet("#")), wildcards);
const patternChars = union(comparedChars, charSet("*"));

/** `path` (with query) in the spelling that `RobotsPattern.matches` compares. */
export function comparablePath(path: string): string {
  const noFragment = path.split("#", 1)[0] ?? "";
  return normalizePercent(noFragment.startsWith("/") ? noFragment : `/${noFragment}`, comparedChars);
}

/** To look for a piece costs so much as some characters, however near it is. */
const pieceWork = 8;

/** A rule's path with its wildcards "*" and a final "$". */
export class RobotsPattern {
  /** Length of the pattern in octets, wildcards included: of two that match, the longer one decides. */
  readonly octets: number;
  readonly #pieces: readonly string[];
  readonly #anchored: boolean;

  /** @param source the rule's value, each character being one octet of the file */
  constructor(source: string) {
    this.#anchored = source.endsWith("$");
    const body = this.#anchored ? source.slice(0, -1) : source;
    const normal = normalizePercent(body, patternChars, true);
    // An inner "$" is literal: it counts as the one octet it is, not as the three of its escape.
    const innerDollars = body.includes("$") ? body.split("$").length - 1 : 0;
    this.octets = normal.length - 2 * innerDollars + (this.#anchored ? 1 : 0);
    this.#pieces = normal.split("*");
  }

  /** Characters that may be looked at to compare it with a path of so many. */
  work(pathChars: number): number {
    return this.#pieces.length === 1 ? 0 : pathChars + this.#pieces.length * pieceWork;
  }

  /** Whether what stands before its first star matches: without that it matches nothing. */
  begins(path: string): boolean {
    return path.startsWith(this.#pieces[0] ?? "");
  }

  /**
   * Whether the pattern matches `path` from its start on. Taking the leftmost place for each piece between stars is
   * enough, since a star takes anything: no place is ever tried again, so the time is linear in the path.
   * @param path from `comparablePath`
   */
  matches(path: string): boolean {
    const pieces = this.#pieces;
    const first = pieces[0] ?? "";
    if (!path.startsWith(first)) return false;
    if (pieces.length === 1) return !this.#anchored || path.length === first.length;
    let at = first.length;
    const last = pieces.length - 1;
    for (let i = 1; i < last; i++) {
      const piece = pieces[i] ?? "";
      const found = path.indexOf(piece, at);
      if (found < 0) return false;
      at = found + piece.length;
    }
    const tail = pieces[last] ?? "";
    if (this.#anchored) return path.length - tail.length >= at && path.endsWith(tail);
    return path.includes(tail, at);
  }
}
