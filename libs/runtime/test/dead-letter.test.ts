import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { deadLetter } from "../src/dead-letter.ts";

/** `max.message.bytes` of the dead letters' topics. */
const topicBytesMax = 8_388_608;
const origin = { topic: "p.crawl.seeds", partition: 3, offset: 17 };
const cause = { group: "p.frontier", service: "frontier", reason: "value: not JSON" };
const record = (
  key: Buffer | null,
  value: Buffer | null,
  headers: Readonly<Record<string, string>> = {},
) => ({ offset: 17, key, value, headers, timestampMs: 5 });

describe("a dead letter", () => {
  test("has the record's bytes, key and headers, and says whence and why", () => {
    const raw = record(Buffer.from("k"), Buffer.from([0, 255]), { traceparent: "t" });
    const letter = deadLetter(raw, origin, cause);
    expect(letter.topic).toBe("p.crawl.seeds.dlq");
    expect(letter.key).toBe(raw.key);
    expect(letter.value).toBe(raw.value);
    expect(letter.headers).toEqual({
      traceparent: "t",
      "dlq.original.topic": "p.crawl.seeds",
      "dlq.original.partition": "3",
      "dlq.original.offset": "17",
      "dlq.original.timestamp": "5",
      "dlq.consumer.group": "p.frontier",
      "dlq.error.code": "SLUICE_RECORD_INVALID",
      "dlq.error.message": "value: not JSON",
      "dlq.service": "frontier",
    });
  });

  test("always fits its topic, and says what was cut", () => {
    const size = fc.oneof(
      fc.integer({ min: 0, max: 200 }),
      fc.integer({ min: topicBytesMax - 6000, max: topicBytesMax }),
    );
    const bytes = fc.oneof(fc.constant(null), size);
    fc.assert(
      fc.property(
        bytes,
        bytes,
        size,
        fc.integer({ min: 0, max: 5000 }),
        (keyBytes, valueBytes, headerBytes, reasonChars) => {
          const make = (length: number | null): Buffer | null =>
            length === null ? null : Buffer.alloc(length, "x");
          const raw = record(make(keyBytes), make(valueBytes), { h: "y".repeat(headerBytes) });
          const letter = deadLetter(raw, origin, { ...cause, reason: "é".repeat(reasonChars) });
          let total = 70 + (letter.key?.length ?? 0) + (letter.value?.length ?? 0);
          for (const [name, text] of Object.entries(letter.headers ?? {}))
            total += Buffer.byteLength(name) + Buffer.byteLength(text) + 10;
          expect(total).toBeLessThanOrEqual(topicBytesMax);
          expect(letter.key === null).toBe(raw.key === null);
          expect(letter.value === null).toBe(raw.value === null);
          const { headers = {} } = letter;
          expect(headers["dlq.original.key.bytes"]).toBe(
            letter.key?.length === raw.key?.length ? undefined : String(keyBytes),
          );
          expect(headers["dlq.original.value.bytes"]).toBe(
            letter.value?.length === raw.value?.length ? undefined : String(valueBytes),
          );
          expect("h" in headers || "dlq.original.headers.bytes" in headers).toBe(true);
        },
      ),
      { numRuns: 60 },
    );
  });
});
