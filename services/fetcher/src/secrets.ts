/** Secrets that jobs and policies name: held by the fetcher's process, never by a topic. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { basicValue } from "@sluice/http";
import { boundSecretSchema, fieldValueSchema, secretNameSchema } from "@sluice/records";

/** What a secret says. */
export type Secret =
  /** Text alone, which says nothing of where it may be sent. */
  | { readonly kind: "plain"; readonly text: string }
  /** A header field with the only origins that may see it. */
  | {
      readonly kind: "bound";
      readonly origins: readonly string[];
      readonly field: string;
      readonly value: string;
    };

/** Neither a name's value nor a piece of it is ever in the reason. */
export interface SecretProblem {
  readonly kind: "problem";
  readonly reason: string;
}

/** A file may change; it is read again when what was read is older. */
const keptMs = 10_000;
const textLengthMax = 16_384;

export interface SecretSource {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Folder with a file for each secret; null: none. */
  readonly dir: string | null;
  readonly monotonicMs: () => number;
}

export class SecretStore {
  readonly #source: SecretSource;
  readonly #kept = new Map<string, { readonly found: Secret | SecretProblem; readonly untilMs: number }>();

  constructor(source: SecretSource) {
    this.#source = source;
  }

  /** What a job names: `SLUICE_SECRET_<NAME>` of the environment, or the file of that name. */
  named(name: string): Secret | SecretProblem {
    if (!secretNameSchema.safeParse(name).success) return problem(name, "is no name of a secret");
    const found = this.variable(`SLUICE_SECRET_${name.toUpperCase()}`);
    return found.kind === "problem" && found.reason.endsWith(missing) ? this.file(name) : found;
  }

  variable(name: string): Secret | SecretProblem {
    const text = this.#source.env[name];
    return text === undefined ? problem(name, missing) : parse(name, text);
  }

  /** `name` has no folder in it: the schemas that it comes through see to that, and so does this. */
  file(name: string): Secret | SecretProblem {
    const { dir, monotonicMs } = this.#source;
    if (dir === null || !/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)) return problem(name, missing);
    const nowMs = monotonicMs();
    const kept = this.#kept.get(name);
    if (kept !== undefined && nowMs < kept.untilMs) return kept.found;
    const found = readSecret(join(dir, name), name);
    this.#kept.set(name, { found, untilMs: nowMs + keptMs });
    if (this.#kept.size > 1000) this.#kept.clear();
    return found;
  }
}

const missing = "is not among this fetcher's secrets";
const problem = (name: string, reason: string): SecretProblem => ({
  kind: "problem",
  reason: `secret ${JSON.stringify(name)} ${reason}`,
});

function readSecret(path: string, name: string): Secret | SecretProblem {
  try {
    return parse(name, readFileSync(path, "utf8"));
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "error";
    return problem(name, code === "ENOENT" ? missing : `can't be read (${code})`);
  }
}

function parse(name: string, raw: string): Secret | SecretProblem {
  const text = raw.trim();
  if (text === "" || text.length > textLengthMax) return problem(name, "is empty or too long");
  if (!text.startsWith("{")) {
    return fieldValueSchema.safeParse(text).success
      ? { kind: "plain", text }
      : problem(name, "has characters that no header field may have");
  }
  // The parser's own words would quote what it read.
  const json = parseJson(text);
  const parsed = boundSecretSchema.safeParse(json);
  if (!parsed.success) {
    const fields = [...new Set(parsed.error.issues.map((issue) => issue.path[0] ?? "kind").map(String))];
    return problem(name, `is not written as it has to be: ${fields.join(", ")}`);
  }
  const secret = parsed.data;
  const { origins } = secret;
  switch (secret.kind) {
    case "basic": {
      const value = basicValue(`${secret.user}:${secret.password}`);
      return { kind: "bound", origins, field: "authorization", value };
    }
    case "bearer":
      return { kind: "bound", origins, field: "authorization", value: `Bearer ${secret.token}` };
    case "cookie":
      return { kind: "bound", origins, field: "cookie", value: secret.cookie };
    case "header":
      return { kind: "bound", origins, field: secret.header, value: secret.value };
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}
