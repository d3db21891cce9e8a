/** What a step and the core libraries must not touch: clock, timers, chance, process, network, files. */
import { importsOf, packageOf } from "./source-imports.ts";
import { tokensOf, type Token } from "./source-tokens.ts";

export interface Violation {
  readonly line: number;
  readonly what: string;
}

const impureGlobals: ReadonlySet<string> = new Set([
  "setTimeout",
  "setInterval",
  "setImmediate",
  "clearTimeout",
  "clearInterval",
  "clearImmediate",
  "queueMicrotask",
  "process",
  "fetch",
  "performance",
  "crypto",
  "console",
  "navigator",
  "globalThis",
  "global",
  "require",
  "eval",
  "WebSocket",
  "Worker",
  "WeakRef",
  "FinalizationRegistry",
]);

/** What pure code may take from modules that are not pure as a whole. */
const pureNamesOf: Readonly<Record<string, readonly string[]>> = {
  // Hashes, the same on every machine.
  "node:buffer": ["isAscii"],
  "node:crypto": ["createHash", "hash"],
  // libs/http/src/retry-policy.ts, which is held to the same rules.
  "@sluice/http": ["categoryOf", "retryDelayMs", "shouldRetry"],
};

const impurePackages: ReadonlySet<string> = new Set([
  "@sluice/broker",
  "@sluice/cli",
  "@sluice/config",
  "@sluice/http",
  "@sluice/local-kafka",
  "@sluice/process",
  "@sluice/telemetry",
  "commander",
  "fastify",
  "kafkajs",
  "opossum",
  "pino",
  "prom-client",
  "testcontainers",
  "undici",
  "vitest",
]);

export function impuritiesOf(source: string): readonly Violation[] {
  const tokens = tokensOf(source);
  const found: Violation[] = [];
  tokens.forEach((token, index) => {
    const what = token.kind === "word" ? impurityAt(tokens, index) : null;
    if (what !== null) found.push({ line: token.line, what });
  });
  for (const { specifier, names, typeOnly, line } of importsOf(source)) {
    if (!typeOnly && !isPureImport(specifier, names)) found.push({ line, what: `import of ${specifier}` });
  }
  return found.toSorted((a, b) => a.line - b.line);
}

function impurityAt(tokens: readonly Token[], index: number): string | null {
  const { text } = tokens[index] as Token;
  const textAt = (offset: number): string => tokens[index + offset]?.text ?? "";
  if (text === "import" && textAt(1) === "." && textAt(2) === "meta") return "import.meta";
  if (text === "import" && textAt(1) === "(" && textAt(-1) !== ".") return "import()";
  if (isMember(tokens, index) || isPropertyName(tokens, index)) return null;
  if (text === "Date") return impurityOfDate(tokens, index);
  if (text === "Math" && (textAt(1) !== "." || textAt(2) === "random")) return "Math.random";
  return impureGlobals.has(text) ? text : null;
}

/** `new Date(instant)` and the static readers are functions of their arguments; all else reads the clock. */
function impurityOfDate(tokens: readonly Token[], index: number): string | null {
  const textAt = (offset: number): string => tokens[index + offset]?.text ?? "";
  if (textAt(-1) === "new") return textAt(1) === "(" && textAt(2) !== ")" ? null : "new Date()";
  if (textAt(1) === "." && ["UTC", "parse"].includes(textAt(2))) return null;
  if (textAt(1) === "." && textAt(2) === "now") return "Date.now";
  return "Date";
}

/** `x.fetch` and `x?.fetch`, but not `...fetch`. */
function isMember(tokens: readonly Token[], index: number): boolean {
  if (tokens[index - 1]?.text !== ".") return false;
  return !(tokens[index - 2]?.text === "." && tokens[index - 3]?.text === ".");
}

/** `{ fetch: … }`, `readonly fetch?: …`, but not `a ? fetch : b` and `case fetch:`. */
function isPropertyName(tokens: readonly Token[], index: number): boolean {
  const after = tokens[index + 1]?.text === "?" ? tokens[index + 2]?.text : tokens[index + 1]?.text;
  if (after !== ":") return false;
  return ["{", ",", ";", "readonly", "("].includes(tokens[index - 1]?.text ?? "");
}

function isPureImport(specifier: string, names: readonly string[]): boolean {
  const name = packageOf(specifier);
  if (!specifier.startsWith("node:") && (name === null || !impurePackages.has(name))) return true;
  return names.every((each) => (pureNamesOf[specifier] ?? []).includes(each));
}
