/** TypeScript as tokens: enough to tell code from comments, strings and regular expressions. */

export type TokenKind = "word" | "number" | "string" | "template" | "regex" | "punctuation";

export interface Token {
  readonly kind: TokenKind;
  /** As written; of a string its value without quotes, of a template the text of one piece. */
  readonly text: string;
  /** From 1. */
  readonly line: number;
}

/** After these words a slash begins a regular expression; after any other word it divides. */
const wordsBeforeRegex: ReadonlySet<string> = new Set([
  "await",
  "case",
  "delete",
  "do",
  "else",
  "in",
  "instanceof",
  "new",
  "of",
  "return",
  "throw",
  "typeof",
  "void",
  "yield",
]);

const identifierStart = /[\p{ID_Start}$_#@]/u;
const identifierPart = /[\p{ID_Continue}$\u200c\u200d]/u;

/** Throws where a comment, string, template or regular expression does not end: then it misread the source. */
export function tokensOf(source: string): readonly Token[] {
  const tokens: Token[] = [];
  /** Braces open in each template expression that encloses the place; the innermost is last. */
  const templates: number[] = [];
  let at = 0;
  let line = 1;

  const broken = (what: string): never => {
    throw new SyntaxError(`line ${line}: ${what} does not end`);
  };
  const push = (kind: TokenKind, text: string, startLine: number): void => {
    tokens.push({ kind, text, line: startLine });
  };
  const regexMayBegin = (): boolean => {
    const before = tokens.at(-1);
    if (before === undefined) return true;
    if (before.kind === "word") return wordsBeforeRegex.has(before.text);
    return before.kind === "punctuation" && !")]}".includes(before.text);
  };
  const readString = (quote: string): void => {
    const startLine = line;
    let text = "";
    for (at += 1; source[at] !== quote; at += 1) {
      if (at >= source.length || source[at] === "\n") broken("a string");
      if (source[at] === "\\") {
        text += source[at];
        at += 1;
        if (source[at] === "\n") line += 1;
      }
      text += source[at];
    }
    at += 1;
    push("string", unescaped(text), startLine);
  };
  /** From behind a backtick or the brace that ends an expression, to the next expression or the end. */
  const readTemplate = (): void => {
    const startLine = line;
    let text = "";
    for (; source[at] !== "`"; at += 1) {
      if (at >= source.length) broken("a template");
      if (source.startsWith("${", at)) {
        at += 2;
        templates.push(0);
        push("template", text, startLine);
        return;
      }
      if (source[at] === "\\") {
        text += source[at];
        at += 1;
      }
      if (source[at] === "\n") line += 1;
      text += source[at];
    }
    at += 1;
    push("template", text, startLine);
  };
  const readRegex = (): void => {
    const start = at;
    let inClass = false;
    for (at += 1; inClass || source[at] !== "/"; at += 1) {
      if (at >= source.length || source[at] === "\n") broken("a regular expression");
      if (source[at] === "\\") at += 1;
      else if (source[at] === "[") inClass = true;
      else if (source[at] === "]") inClass = false;
    }
    at += 1;
    while (/[a-z]/.test(source[at] ?? "")) at += 1;
    push("regex", source.slice(start, at), line);
  };

  if (source.startsWith("#!")) at = lineEnd(source, 0);
  while (at < source.length) {
    const char = String.fromCodePoint(source.codePointAt(at) ?? 0);
    if (char === "\n") {
      line += 1;
      at += 1;
    } else if (/\s/.test(char)) {
      at += 1;
    } else if (source.startsWith("//", at)) {
      at = lineEnd(source, at);
    } else if (source.startsWith("/*", at)) {
      const end = source.indexOf("*/", at + 2);
      if (end < 0) broken("a comment");
      line += source.slice(at, end).split("\n").length - 1;
      at = end + 2;
    } else if (char === '"' || char === "'") {
      readString(char);
    } else if (char === "`") {
      at += 1;
      readTemplate();
    } else if (char === "/" && regexMayBegin()) {
      readRegex();
    } else if (/[0-9]/.test(char)) {
      const number =
        /^[0-9][0-9a-zA-Z_]*(\.[0-9_]+([eE][+-]?[0-9]+)?)?/.exec(source.slice(at, at + 80))?.[0] ?? char;
      at += number.length;
      push("number", number, line);
    } else if (identifierStart.test(char)) {
      const start = at;
      at += char.length;
      for (let next = part(source, at); next !== ""; next = part(source, at)) at += next.length;
      push("word", source.slice(start, at), line);
    } else {
      at += char.length;
      const open = templates.length - 1;
      if (char === "{" && open >= 0) templates[open] = (templates[open] ?? 0) + 1;
      if (char === "}" && open >= 0) {
        if (templates[open] === 0) {
          templates.pop();
          readTemplate();
          continue;
        }
        templates[open] = (templates[open] ?? 0) - 1;
      }
      push("punctuation", char, line);
    }
  }
  if (templates.length > 0) broken("a template");
  return tokens;
}

function part(source: string, at: number): string {
  const code = source.codePointAt(at);
  if (code === undefined) return "";
  const char = String.fromCodePoint(code);
  return identifierPart.test(char) ? char : "";
}

function lineEnd(source: string, from: number): number {
  const end = source.indexOf("\n", from);
  return end < 0 ? source.length : end;
}

/** Names of modules and tests need no more than quotes and backslashes. */
function unescaped(text: string): string {
  return text.replaceAll(/\\(["'`\\])/g, "$1");
}
