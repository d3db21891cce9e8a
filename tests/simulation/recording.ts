/**
 * Logs of a crawl as one version left them in its middle: JSON Lines, the first with what is needed to go on,
 * then one record, offset or file a line. Nothing in it depends on how the version that reads it is made.
 */
import type { Job } from "@sluice/records";
import type { HostDefinition } from "./site.ts";

export interface RecordedRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly timestampMs: number;
  readonly key: string | null;
  /** JSON as it is where it can be had back to the byte, else base64. */
  readonly value: { readonly json: unknown } | { readonly base64: string } | null;
  readonly headers: Readonly<Record<string, string>>;
}

export interface RecordedJob {
  readonly job: Job;
  readonly hosts: readonly number[];
}

export type RecordedHost = Omit<HostDefinition, "pages" | "robots"> & {
  readonly pages: readonly (readonly [
    string,
    HostDefinition["pages"] extends ReadonlyMap<string, infer Page> ? Page : never,
  ])[];
  readonly disallow: readonly string[];
  readonly crawlDelayS: number | null;
};

export interface RecordedAbout {
  readonly kind: "about";
  /** Of the commit that wrote the logs. */
  readonly version: string;
  readonly nowMs: number;
  readonly partitions: number;
  readonly hosts: readonly RecordedHost[];
  readonly jobs: readonly RecordedJob[];
}

export type RecordedLine =
  | RecordedAbout
  | ({ readonly kind: "record" } & RecordedRecord)
  /** Where a partition ends: transaction markers may lie behind its last record. */
  | { readonly kind: "end"; readonly topic: string; readonly partition: number; readonly offset: number }
  | {
      readonly kind: "offset";
      readonly group: string;
      readonly topic: string;
      readonly partition: number;
      readonly offset: number;
      readonly metadata: string;
    }
  | { readonly kind: "file"; readonly path: string; readonly text: string };

export interface Recording {
  readonly about: RecordedAbout;
  readonly lines: readonly RecordedLine[];
}

export function encode(lines: readonly RecordedLine[]): string {
  return `${lines.map((line) => JSON.stringify(line)).join("\n")}\n`;
}

export function decode(text: string): Recording {
  const lines = text
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as RecordedLine);
  const [about] = lines;
  if (about?.kind !== "about") throw new Error("the first line does not say what this is");
  return { about, lines };
}

/** A value as it is recorded. */
export function recorded(value: Buffer | null): RecordedRecord["value"] {
  if (value === null) return null;
  const text = value.toString("utf8");
  try {
    const json: unknown = JSON.parse(text);
    if (JSON.stringify(json) === text) return { json };
  } catch {
    return { base64: value.toString("base64") };
  }
  return { base64: value.toString("base64") };
}

export function bytesOf(value: RecordedRecord["value"]): Buffer | null {
  if (value === null) return null;
  return "json" in value ? Buffer.from(JSON.stringify(value.json)) : Buffer.from(value.base64, "base64");
}
