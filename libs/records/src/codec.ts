import { seedSchema, type Seed } from "./seed.ts";
import { topics, topicOf } from "./topics.ts";

export type Decoded =
  | { readonly kind: "value"; readonly value: unknown }
  /** A null value: on compacted topics it removes the key. */
  | { readonly kind: "tombstone" }
  | { readonly kind: "poison"; readonly reason: string };

const utf8 = new TextDecoder("utf-8", { fatal: true });
const poison = (reason: string): Decoded => ({ kind: "poison", reason });

/** The first problem a schema found, with the field it lies in. */
function problemOf(
  issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[],
): string {
  const first = issues[0];
  if (first === undefined) return "does not match its schema";
  return `${first.path.length === 0 ? "value" : first.path.map(String).join(".")}: ${first.message}`;
}

/** Reads and checks the value of a record by the schema of its topic. Never throws. */
export function decodeRecord(topicName: string, bytes: Uint8Array | null): Decoded {
  if (bytes === null) return { kind: "tombstone" };
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    return poison("value: not UTF-8");
  }
  if (topicName === topics.seeds.name) return decodeSeed(text);
  const schema = topicOf(topicName)?.schema;
  if (!schema) return poison(`topic: ${topicName} has no schema`);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return poison("value: not JSON");
  }
  const parsed = schema.safeParse(json);
  return parsed.success ? { kind: "value", value: parsed.data } : poison(problemOf(parsed.error.issues));
}

/** A seed is a JSON object or a bare URL: `kcat` and `echo` must be enough to start a crawl. */
function decodeSeed(text: string): Decoded {
  const trimmed = text.trim();
  if (trimmed === "") return poison("value: empty");
  let candidate: unknown = { url: trimmed } satisfies Seed;
  if (trimmed.startsWith("{") || trimmed.startsWith('"')) {
    try {
      candidate = JSON.parse(trimmed);
    } catch {
      return poison("value: not JSON");
    }
    if (typeof candidate === "string") candidate = { url: candidate };
  }
  const parsed = seedSchema.safeParse(candidate);
  return parsed.success ? { kind: "value", value: parsed.data } : poison(problemOf(parsed.error.issues));
}
