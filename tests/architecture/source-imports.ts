/** Which modules a source names, in whatever way. */
import { tokensOf, type Token } from "./source-tokens.ts";

export interface Import {
  readonly specifier: string;
  /** Names bound by the import, as the module calls them; empty where all of it is taken. */
  readonly names: readonly string[];
  readonly line: number;
}

/** Imports and re-exports, `import()` in code and in types, and `require()`. */
export function importsOf(source: string): readonly Import[] {
  const tokens = tokensOf(source);
  const imports: Import[] = [];
  tokens.forEach((token, index) => {
    if (token.kind !== "word") return;
    const next = tokens[index + 1];
    const called = next?.text === "(" ? tokens[index + 2] : undefined;
    const isMember = tokens[index - 1]?.text === ".";
    if ((token.text === "import" || token.text === "require") && !isMember && called?.kind === "string") {
      imports.push({ specifier: called.text, names: [], line: token.line });
    } else if (token.text === "require" && next?.text === "." && tokens[index + 4]?.kind === "string") {
      imports.push({ specifier: tokens[index + 4]?.text ?? "", names: [], line: token.line });
    } else if (token.text === "import" && next?.kind === "string") {
      imports.push({ specifier: next.text, names: [], line: token.line });
    } else if ((token.text === "import" || token.text === "export") && !isMember) {
      const found = fromClause(tokens, index + 1);
      if (found !== null) imports.push({ ...found, line: token.line });
    }
  });
  return imports;
}

/** `{ a, type b as c } from "x"`, `* as x from "x"`, `x from "x"`; null where it is another statement. */
function fromClause(tokens: readonly Token[], from: number): { specifier: string; names: readonly string[] } | null {
  const names: string[] = [];
  for (let index = from; index < tokens.length; index += 1) {
    const token = tokens[index];
    if (token === undefined) return null;
    const next = tokens[index + 1];
    if (token.text === "from" && token.kind === "word" && next?.kind === "string") return { specifier: next.text, names };
    const inClause = token.kind === "word" || (token.kind === "punctuation" && "{},*".includes(token.text));
    if (!inClause) return null;
    const renamed = tokens[index - 1]?.text === "as";
    const isKeyword = ["type", "as"].includes(token.text) && next?.text !== "," && next?.text !== "}";
    if (token.kind === "word" && !renamed && !isKeyword) names.push(token.text);
  }
  return null;
}

/** `@scope/name` or `name`, without what follows; null for relative and built-in modules. */
export function packageOf(specifier: string): string | null {
  if (specifier.startsWith(".") || specifier.startsWith("node:")) return null;
  const [first = "", second = ""] = specifier.split("/");
  return first.startsWith("@") ? `${first}/${second}` : first;
}
