/** From a glob's text to a tree of what it matches. */

export type GlobNode =
  | { readonly kind: "char"; readonly char: string }
  /** One character that is no separator. */
  | { readonly kind: "any" }
  /** One character of a class, never a separator. */
  | {
      readonly kind: "class";
      readonly negated: boolean;
      readonly ranges: readonly (readonly [string, string])[];
    }
  /** Any run of characters: within a segment, or across separators. */
  | { readonly kind: "star"; readonly crosses: boolean }
  /** Any number of whole segments, each with its separator. */
  | { readonly kind: "segments" }
  /** A separator and anything after it, or nothing at all: the end of `a/**`, which matches `a` too. */
  | { readonly kind: "rest" }
  | { readonly kind: "either"; readonly branches: readonly (readonly GlobNode[])[] };

/** What a glob cannot mean. The message names the problem and its place, for whoever wrote the glob. */
export class GlobError extends Error {
  override readonly name = "GlobError";
}

/** A range like {1..9} stands for at most this many texts. */
const rangeItemsMax = 256;
const depthMax = 16;

type Neighbour = "separator" | "edge" | "other";

export class GlobReader {
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  read(): readonly GlobNode[] {
    const nodes = this.#sequence("edge", () => "edge", false);
    const last = nodes.at(-1);
    // As in micromatch, a final star or class lets a slash follow: `/docs/*` matches `/docs/intro/`.
    if (last?.kind === "class" || (last?.kind === "star" && !last.crosses)) {
      nodes.push({ kind: "either", branches: [[], [{ kind: "char", char: "/" }]] });
    }
    return nodes;
  }

  /**
   * Reads until the end or, in braces, until "," or "}".
   * @param before what stands before the sequence
   * @param after what will stand after it
   */
  #sequence(before: Neighbour, after: () => Neighbour, inBraces: boolean): GlobNode[] {
    const nodes: GlobNode[] = [];
    let previous = before;
    while (this.#at < this.#text.length) {
      const char = this.#text[this.#at] ?? "";
      if (inBraces && (char === "," || char === "}")) break;
      if (this.#startsExtglob()) {
        throw this.#error(
          `"${char}(" starts an extended glob, which is not supported; write "\\(" for a parenthesis`,
        );
      }
      if (char === "*") previous = this.#stars(nodes, previous, after, inBraces);
      else if (char === "/") {
        this.#at++;
        previous = "separator";
        nodes.push({ kind: "char", char });
      } else {
        previous = "other";
        nodes.push(this.#single(char));
      }
    }
    return nodes;
  }

  #single(char: string): GlobNode {
    switch (char) {
      case "?":
        this.#at++;
        return { kind: "any" };
      case "[":
        return this.#class();
      case "{":
        return this.#braces();
      case "\\": {
        const escaped = this.#text[this.#at + 1];
        if (escaped === undefined) throw this.#error("a backslash at the end escapes nothing");
        this.#at += 2;
        return { kind: "char", char: escaped };
      }
      default:
        this.#at++;
        return { kind: "char", char };
    }
  }

  /** Two stars that fill a segment cross separators; any other run of stars is one star. */
  #stars(nodes: GlobNode[], previous: Neighbour, after: () => Neighbour, inBraces: boolean): Neighbour {
    const start = this.#at;
    while (this.#text[this.#at] === "*") this.#at++;
    const next = this.#text[this.#at];
    const isEnd = next === undefined || (inBraces && (next === "," || next === "}"));
    const follows = isEnd ? after() : next === "/" ? "separator" : "other";
    if (this.#at - start !== 2 || previous === "other" || follows === "other") {
      // A segment that is only a star is not empty.
      if (previous !== "other" && follows !== "other") nodes.push({ kind: "any" });
      nodes.push({ kind: "star", crosses: false });
      return "other";
    }
    if (!isEnd) {
      this.#at++;
      if (nodes.at(-1)?.kind !== "segments") nodes.push({ kind: "segments" });
      return "separator";
    }
    const last = nodes.at(-1);
    if (follows === "edge" && last?.kind === "char" && last.char === "/")
      nodes[nodes.length - 1] = { kind: "rest" };
    else nodes.push({ kind: "star", crosses: true });
    return "other";
  }

  #class(): GlobNode {
    const start = this.#at++;
    const negated = this.#text[this.#at] === "!" || this.#text[this.#at] === "^";
    if (negated) this.#at++;
    const ranges: (readonly [string, string])[] = [];
    for (let isFirst = true; ; isFirst = false) {
      const from = this.#classChar(start);
      if (from === "]" && !isFirst && this.#text[this.#at - 2] !== "\\") break;
      if (
        this.#text[this.#at] === "-" &&
        this.#text[this.#at + 1] !== "]" &&
        this.#at + 1 < this.#text.length
      ) {
        this.#at++;
        const to = this.#classChar(start);
        if (to < from) throw this.#error(`the range ${from}-${to} runs backwards`, start);
        ranges.push([from, to]);
      } else ranges.push([from, from]);
    }
    return { kind: "class", negated, ranges };
  }

  #classChar(start: number): string {
    if (this.#text[this.#at] === "\\") this.#at++;
    const char = this.#text[this.#at++];
    if (char === undefined) throw this.#error('"[" has no "]"; write "\\[" for a bracket', start);
    return char;
  }

  #braces(): GlobNode {
    const start = this.#at++;
    if (++this.#depth > depthMax) throw this.#error(`braces nest deeper than ${depthMax}`, start);
    const range = this.#range(start);
    if (range !== null) return range;
    const previous = start === 0 ? "edge" : this.#text[start - 1] === "/" ? "separator" : "other";
    const after = (): Neighbour => {
      const end = this.#closing(start);
      const next = this.#text[end + 1];
      return next === undefined ? "edge" : next === "/" ? "separator" : "other";
    };
    const branches: GlobNode[][] = [];
    for (;;) {
      branches.push(this.#sequence(previous, after, true));
      const end = this.#text[this.#at++];
      if (end === "}") break;
      if (end === undefined) throw this.#error('"{" has no "}"; write "\\{" for a brace', start);
    }
    this.#depth--;
    if (branches.length > 1) return { kind: "either", branches };
    // Braces without a comma are literal, as in every shell.
    const literal = (char: string): GlobNode => ({ kind: "char", char });
    return { kind: "either", branches: [[literal("{"), ...(branches[0] ?? []), literal("}")]] };
  }

  /** {1..9} or {a..f} */
  #range(start: number): GlobNode | null {
    const match = /^\{(?:(-?\d{1,9})\.\.(-?\d{1,9})|([A-Za-z])\.\.([A-Za-z]))\}/.exec(
      this.#text.slice(start, start + 32),
    );
    if (match === null) return null;
    const isNumber = match[1] !== undefined;
    const first = isNumber ? Number(match[1]) : (match[3] ?? "").charCodeAt(0);
    const last = isNumber ? Number(match[2]) : (match[4] ?? "").charCodeAt(0);
    const [low, high] = first <= last ? [first, last] : [last, first];
    if (high - low >= rangeItemsMax)
      throw this.#error(`the range has more than ${rangeItemsMax} items`, start);
    this.#at = start + match[0].length;
    this.#depth--;
    const branches: GlobNode[][] = [];
    for (let item = low; item <= high; item++) {
      const text = isNumber ? String(item) : String.fromCharCode(item);
      branches.push(Array.from(text, (char) => ({ kind: "char", char })));
    }
    return { kind: "either", branches };
  }

  /** Place of the brace that closes the one at `start`. */
  #closing(start: number): number {
    let depth = 0;
    for (let i = start; i < this.#text.length; i++) {
      const char = this.#text[i];
      if (char === "\\") i++;
      else if (char === "{") depth++;
      else if (char === "}" && --depth === 0) return i;
    }
    throw this.#error('"{" has no "}"; write "\\{" for a brace', start);
  }

  #startsExtglob(): boolean {
    return /^[@+*?!]\([^()]*\)/.test(this.#text.slice(this.#at));
  }

  #error(problem: string, at = this.#at): GlobError {
    return new GlobError(`${problem} (at character ${at + 1})`);
  }
}
