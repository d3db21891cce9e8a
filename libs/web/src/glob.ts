/** Globs with the meaning that micromatch gives them, matched without backtracking. */
import { GlobMachine, type GlobState } from "./glob-machine.ts";
import { GlobError, GlobReader, type GlobNode } from "./glob-syntax.ts";

export { GlobError } from "./glob-syntax.ts";

/** A longer pattern is refused. Characters. */
export const globCharsMax = 400;

export interface Glob {
  /** Whether the whole of `text` matches. Time grows with the product of both lengths at most, whatever they hold. */
  matches(text: string): boolean;
}

/**
 * Compiles a glob. `*` is any run of characters but "/", `?` one of them; a segment `**` is any number of segments,
 * also none, so that `a/**` matches `a`; `[a-z]` and `[!a-z]` are classes, `{a,b}` and `{1..9}` alternatives, "\"
 * takes the next character literally, and a leading "!" turns the answer round. A leading dot is nothing special.
 * @throws GlobError that names the problem
 */
export function compileGlob(pattern: string): Glob {
  if (pattern.length > globCharsMax) {
    throw new GlobError(`glob of ${pattern.length} characters, at most ${globCharsMax} are allowed`);
  }
  const bangs = /^(?:!(?!\())*/.exec(pattern)?.[0].length ?? 0;
  const body = pattern.slice(bangs);
  if (body === "") throw new GlobError("empty glob");
  const nodes = new GlobReader(body).read();
  const machine = new GlobMachine(compile(nodes));
  const prefix = literalPrefix(nodes);
  const isNegated = bangs % 2 === 1;
  return { matches: (text) => (text.startsWith(prefix) && machine.accepts(text)) !== isNegated };
}

/** What every matching text starts with; saves most texts the run. */
function literalPrefix(nodes: readonly GlobNode[]): string {
  let prefix = "";
  for (const node of nodes) {
    if (node.kind !== "char") break;
    prefix += node.char;
  }
  return prefix;
}

/** Thompson's construction: a state for each character taken, splits where there is a choice. */
function compile(nodes: readonly GlobNode[]): readonly GlobState[] {
  const states: GlobState[] = [];
  const take = (test: (char: string) => boolean): void => {
    states.push({ kind: "take", test, next: states.length + 1 });
  };
  /** Repeats what `body` adds, any number of times. */
  const loop = (body: () => void): void => {
    const split = { kind: "split" as const, next: states.length + 1, other: -1 };
    states.push(split);
    const start = states.length - 1;
    body();
    states.push({ kind: "split", next: start, other: start });
    split.other = states.length;
  };
  const addAll = (sequence: readonly GlobNode[]): void => {
    for (const node of sequence) add(node);
  };
  const add = (node: GlobNode): void => {
    switch (node.kind) {
      case "char": {
        const { char } = node;
        take((c) => c === char);
        break;
      }
      case "any":
        take(isInSegment);
        break;
      case "class":
        take(
          (c) => isInSegment(c) && node.ranges.some(([low, high]) => c >= low && c <= high) !== node.negated,
        );
        break;
      case "star":
        loop(() => take(node.crosses ? isAnything : isInSegment));
        break;
      case "segments":
        loop(() => {
          loop(() => take(isInSegment));
          take(isSeparator);
        });
        break;
      case "rest": {
        const split = { kind: "split" as const, next: states.length + 1, other: -1 };
        states.push(split);
        take(isSeparator);
        loop(() => take(isAnything));
        split.other = states.length;
        break;
      }
      case "either": {
        const joins: { next: number; other: number }[] = [];
        node.branches.forEach((branch, i) => {
          const isLast = i === node.branches.length - 1;
          const split = { kind: "split" as const, next: states.length + 1, other: -1 };
          if (!isLast) states.push(split);
          addAll(branch);
          if (isLast) return;
          const join = { kind: "split" as const, next: -1, other: -1 };
          states.push(join);
          joins.push(join);
          split.other = states.length;
        });
        for (const join of joins) join.next = join.other = states.length;
        break;
      }
      default:
        node satisfies never;
    }
  };
  addAll(nodes);
  states.push({ kind: "accept" });
  return states;
}

const isSeparator = (char: string): boolean => char === "/";
const isInSegment = (char: string): boolean => char !== "/";
const isAnything = (): boolean => true;
