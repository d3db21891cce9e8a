import { readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import * as fc from "fast-check";
import { eventSchemas } from "@sluice/records";
import { describe, expect, it } from "vitest";
import type { z } from "zod";
import { parseEvent, streamEventTypes, type StreamEvent } from "../src/event-parser.ts";
import { connectedSchema, gapSchema, streamEventSchema } from "../src/stream-events.ts";

const schemas: Readonly<Record<string, z.ZodObject>> = {
  stream_connected: connectedSchema,
  gap: gapSchema,
  ...eventSchemas,
};
const base = { job: "docs-1", run: 2, atMs: 1_700_000_000_000 };
const figures = { totalProcessed: 4, totalDiscovered: 9, queueSize: 3, pendingCount: 2 };
const ended = { admitted: 9, done: 7, failed: 1, skipped: 1, durationMs: 1234 };
const url = "https://site.example/a?b=%22";

const samples: readonly StreamEvent[] = [
  { ...base, type: "stream_connected" },
  { ...base, type: "gap", reason: "retention", from: 0, to: 7 },
  { ...base, type: "url_started", url, depth: 0, attempt: 1 },
  {
    ...base,
    type: "url_crawled",
    url,
    status: 200,
    depth: 1,
    outcome: "ok",
    title: "Zo\u00eb \ud83d\ude00 \u2028",
    durationMs: 1.5,
  },
  {
    ...base,
    type: "url_crawled",
    url,
    status: null,
    depth: 0,
    outcome: "ok",
    title: null,
    durationMs: null,
    note: "x",
  },
  { ...base, type: "urls_discovered", url, count: 7, admitted: 6 },
  {
    ...base,
    type: "url_failed",
    url,
    depth: 1,
    category: "dns",
    detail: null,
    refused: false,
    attempt: 3,
    final: true,
  },
  {
    ...base,
    type: "sitemap_read",
    url,
    level: 2,
    status: 200,
    outcome: "ok",
    format: "urlset",
    urls: 9,
    admitted: 7,
    sitemaps: 0,
    sitemapsAdmitted: 0,
    refused: 2,
    refusedFor: "scope_host 2",
    note: null,
  },
  { ...base, type: "sent_to_processing", url, depth: 2, resultId: "r" },
  { ...base, type: "progress", ...figures, done: 3, failed: 1, skipped: 0 },
  { ...base, type: "time_update", ...figures, elapsed: 65, formatted: "1:05" },
  { ...base, type: "job_completed", ...ended, finishReason: "max_pages" },
  { ...base, type: "job_failed", ...ended, error: "no seed could be read" },
  { ...base, type: "job_timeout", ...ended },
];

/** Takes what the schema of that type takes, and gives the same event. */
function agrees(type: string, data: string): void {
  const parsed = parseEvent(type, data);
  const schema = Object.hasOwn(schemas, type) ? schemas[type] : undefined;
  let json: unknown;
  try {
    json = JSON.parse(data);
  } catch {
    json = undefined;
  }
  const wanted = schema?.safeParse(json);
  expect(parsed.ok, data).toBe(wanted?.success ?? false);
  if (parsed.ok) expect(parsed.event).toEqual(wanted?.data);
  else expect(parsed.reason).not.toBe("");
}

/** Values that come close to being right. */
const value = fc.oneof(
  fc.anything(),
  fc.constantFrom<unknown>(null, "", "docs", 0, 1, -1, 1.5, 2 ** 53, 1e300, true, [], {}, "completed", "gap"),
);

describe("the parser of events", () => {
  it("knows every event that a stream may have", () => {
    expect(streamEventTypes.toSorted()).toEqual(Object.keys(schemas).toSorted());
    expect(new Set(samples.map(({ type }) => type)).size).toBe(streamEventTypes.length);
    for (const sample of samples) expect(streamEventSchema.parse(sample)).toEqual(sample);
  });

  it("gives back each event from its text", () => {
    for (const sample of samples)
      expect(parseEvent(sample.type, JSON.stringify(sample))).toEqual({ ok: true, event: sample });
  });

  it("never throws, whatever the name and the text", () => {
    const names = fc.oneof(
      fc.constantFrom(...streamEventTypes, "error", "__proto__", "constructor", "toString", ""),
      fc.string(),
    );
    const texts = fc.oneof(fc.string({ unit: "binary" }), fc.json(), fc.string());
    fc.assert(
      fc.property(names, texts, (name, text) => agrees(name, text)),
      { numRuns: 3000 },
    );
  });

  it("takes exactly what the schema takes, whatever is done to one field", () => {
    fc.assert(
      fc.property(fc.constantFrom(...samples), fc.nat(), value, (sample, at, damage) => {
        const names = [...Object.keys(sample), "note", "later"];
        const name = names[at % names.length] ?? "";
        agrees(sample.type, JSON.stringify({ ...sample, [name]: damage }));
      }),
      { numRuns: 5000 },
    );
  });

  it("refuses an event that lacks a field, has the name of another, or is cut short", () => {
    for (const sample of samples) {
      const text = JSON.stringify(sample);
      for (const name of Object.keys(sample)) {
        const { [name as keyof StreamEvent]: _, ...rest } = sample;
        agrees(sample.type, JSON.stringify(rest));
      }
      for (const type of streamEventTypes) agrees(type, text);
      for (let end = 0; end < text.length; end += 1)
        expect(parseEvent(sample.type, text.slice(0, end)).ok).toBe(false);
    }
  });

  it("says which event and which field is at fault", () => {
    const started = { ...base, type: "url_started", url, depth: 0, attempt: 1 };
    const reasonOf = (type: string, data: unknown): string => {
      const parsed = parseEvent(type, typeof data === "string" ? data : JSON.stringify(data));
      return parsed.ok ? "none" : parsed.reason;
    };
    expect(reasonOf("url_started", { ...started, depth: -1 })).toBe(
      "url_started.depth: has to be an integer from 0",
    );
    expect(reasonOf("url_started", { ...started, job: "../x" })).toBe("url_started.job: has to be a job id");
    expect(reasonOf("gap", { ...base, type: "gap", reason: "x", from: 0, to: 1 })).toBe(
      "gap.reason: has to be one of retention, unknown_position, superseded",
    );
    expect(reasonOf("url_crawled", started)).toBe('url_crawled.type: has to be "url_crawled"');
    expect(reasonOf("error", "{}")).toBe('"error" is no event of a job');
    expect(reasonOf("progress", "{")).toBe("progress: not JSON");
    expect(reasonOf("progress", "[]")).toBe("progress: no object");
  });

  it("imports nothing once its types are gone, so that a browser can run it", async () => {
    const source = readFileSync(new URL("../src/event-parser.ts", import.meta.url), "utf8");
    const script = stripTypeScriptTypes(source);
    expect(script).not.toMatch(/^\s*(import|export)\b[^;]*\bfrom\b/m);
    expect(script).not.toMatch(/\b(Buffer|process|require)\b/);
    const alone = (await import(`data:text/javascript,${encodeURIComponent(script)}`)) as {
      parseEvent: typeof parseEvent;
    };
    for (const sample of samples)
      expect(alone.parseEvent(sample.type, JSON.stringify(sample))).toEqual({ ok: true, event: sample });
  });
});
