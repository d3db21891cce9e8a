import { resultSchema, type Result } from "@sluice/records";
import type { SinkRow } from "../src/step.ts";

const base = {
  schema_version: 1,
  job: "j",
  run: 1,
  host: "a.example",
  registrable_domain: "a.example",
  depth: 0,
  parent_url_id: null,
  attempt: 1,
  outcome: "ok",
  error_code: null,
  error_message: null,
  status: 200,
  redirect_to: null,
  content_type: "text/html",
  charset: "utf-8",
  body_bytes: 1,
  wire_bytes: 1,
  truncated: false,
  body_sha256: null,
  description: null,
  lang: null,
  canonical_url: null,
  noindex: false,
  nofollow: false,
  links_count: 0,
  links_admitted_count: 0,
  etag: null,
  last_modified: null,
  remote_address: null,
  robots_rule: null,
  robots_line: null,
  robots_status: "parsed",
  delay_ms: 1000,
  ttfb_ms: 1,
  duration_ms: 1,
  fetched_at: "2026-01-01T00:00:00.000Z",
  fetched_at_ms: 1_767_225_600_000,
};

/** A result that tells where it lay in the topic. */
export function resultAt(partition: number, offset: number): Result {
  const id = `${partition}/${offset}`;
  // Characters of two and more bytes: what is cut off is counted in bytes.
  return resultSchema.parse({
    ...base,
    result_id: id,
    url: `https://a.example/${id}`,
    url_id: id,
    title: "é€😀\n",
  });
}

export const rowAt = (partition: number, offset: number): SinkRow => ({
  partition,
  offset,
  result: resultAt(partition, offset),
});

/** Offsets of each partition in a file's text, in the order of its lines; throws on a line that is no result. */
export function offsetsIn(text: string): ReadonlyMap<number, readonly number[]> {
  const found = new Map<number, number[]>();
  if (text !== "" && !text.endsWith("\n")) throw new Error("the last line is not whole");
  for (const line of text.split("\n").slice(0, -1)) {
    const [partition = NaN, offset = NaN] = resultSchema
      .parse(JSON.parse(line))
      .result_id.split("/")
      .map(Number);
    found.set(partition, [...(found.get(partition) ?? []), offset]);
  }
  return found;
}
