/** Which modules a source names, in whatever way. */
import { tokensOf, type Token } from "./source-tokens.ts";

export interface Import {
  readonly specifier: string;
  /** Values taken, as the module calls them; `*` for all of it. Types are not among them. */
  readonly names: readonly string[];
  /** Nothing is loaded: only types are taken. */
  readonly typeOnly: boolean;
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
      imports.push({ specifier: called.text, names: ["*"], typeOnly: false, line: token.line });
    } else if (token.text === "require" && next?.text === "." && tokens[index + 4]?.kind === "string") {
      imports.push({
        specifier: tokens[index + 4]?.text ?? "",
        names: ["*"],
        typeOnly: false,
        line: token.line,
      });
    } else if (token.text === "import" && next?.kind === "string") {
      imports.push({ specifier: next.text, names: ["*"], typeOnly: false, line: token.line });
    } else if ((token.text === "import" || token.text === "export") && !isMember) {
      const found = fromClause(tokens, index + 1);
      if (found !== null) imports.push({ ...found, line: token.line });
    }
  });
  return imports;
}

/** `{ a, type b as c } from "x"`, `* as x from "x"`, `x from "x"`; null where it is another statement. */
function fromClause(tokens: readonly Token[], from: number): Omit<Import, "line"> | null {
  const names: string[] = [];
  const onlyTypes =
    tokens[from]?.text === "type" && tokens[from + 1]?.text !== "from" && tokens[from + 1]?.text !== ",";
  for (let index = onlyTypes ? from + 1 : from; index < tokens.length; index += 1) {
    const token = tokens[index];
    const next = tokens[index + 1];
    if (token === undefined) return null;
    if (token.text === "from" && token.kind === "word" && next?.kind === "string") {
      return {
        specifier: next.text,
        names: onlyTypes ? [] : names,
        typeOnly: onlyTypes || names.length === 0,
      };
    }
    if (token.text === "*") names.push("*");
    else if (token.kind === "word") {
      // `type Name` and `name as other` are two and three words that bind one name.
      if (token.text === "as") index += 1;
      else if (token.text === "type" && next?.kind === "word" && next.text !== "as") index += 1;
      else names.push(token.text);
    } else if (!(token.kind === "punctuation" && "{},".includes(token.text))) return null;
  }
  return null;
}

/** `@scope/name` or `name`, without what follows; null for relative and built-in modules. */
export function packageOf(specifier: string): string | null {
  if (specifier.startsWith(".") || specifier.startsWith("node:")) return null;
  const [first = "", second = ""] = specifier.split("/");
  return first.startsWith("@") ? `${first}/${second}` : first;
}
