import { describe, expect, test } from "vitest";
import { OutputBuffer } from "../src/output-buffer.ts";

const layout = {
  prefix: "p.",
  partitions: 12,
  politenessKey: "host" as const,
  retentionMs: null,
  replicationFactor: null,
};
const send = (value: unknown, more: { key?: string; latest?: boolean; partition?: number } = {}) =>
  ({ kind: "send", topic: "crawl.counters", key: "k", value, ...more }) as const;

describe("the output of a task", () => {
  test("is encoded when it is sent: what happens to the object afterwards changes nothing", () => {
    const buffer = new OutputBuffer(layout);
    const value = { n: 1 };
    buffer.send(send(value));
    buffer.put("k", value);
    value.n = 2;
    const { records, changes } = buffer.take();
    expect(records).toEqual([
      { topic: "p.crawl.counters", partition: records[0]?.partition, key: "k", value: '{"n":1}' },
    ]);
    expect([...changes]).toEqual([["k", '{"n":1}']]);
  });

  test("goes to the partition of its key, or to the one that is named", () => {
    const buffer = new OutputBuffer(layout);
    buffer.send(send(1, { key: "a" }));
    buffer.send(send(1, { key: "a" }));
    buffer.send(send(1, { key: "a", partition: 7 }));
    const [first, second, third] = buffer.take().records.map(({ partition }) => partition);
    expect(first).toBe(second);
    expect(third).toBe(7);
  });

  test("keeps of `latest` the last of each key, and all others", () => {
    const buffer = new OutputBuffer(layout);
    for (const value of [1, 2, 3]) buffer.send(send(value, { key: "a", latest: true }));
    buffer.send(send(null, { key: "b", latest: true }));
    for (const value of [4, 5]) buffer.send(send(value));
    expect(buffer.records).toBe(4);
    expect(buffer.take().records.map(({ value }) => value)).toEqual(["4", "5", "3", null]);
    expect([buffer.records, buffer.bytes]).toEqual([0, 0]);
    expect(buffer.take().records).toEqual([]);
  });

  test("refuses by name what no topic would take, counted in bytes of UTF-8", () => {
    const buffer = new OutputBuffer(layout);
    const error = {
      code: "SLUICE_RECORD_TOO_LARGE",
      message: expect.stringMatching(/crawl\.counters, key k: \d+ bytes/),
    };
    buffer.send(send("x".repeat(8_300_000)));
    expect(() => buffer.send(send("x".repeat(8_390_000)))).toThrow(expect.objectContaining(error));
    expect(() => buffer.send(send("é".repeat(4_200_000)))).toThrow(expect.objectContaining(error));
    expect(() => buffer.put("k", "x".repeat(8_390_000))).toThrow(
      expect.objectContaining({ code: "SLUICE_RECORD_TOO_LARGE" }),
    );
    expect(buffer.records).toBe(1);
  });

  test("refuses a topic that is not in the table, and a value that JSON has not", () => {
    const buffer = new OutputBuffer(layout);
    expect(() => buffer.send({ kind: "send", topic: "p.crawl.counters", key: "k", value: 1 })).toThrow(
      expect.objectContaining({ code: "SLUICE_STEP_BROKEN" }),
    );
    expect(() => buffer.send(send(undefined))).toThrow(
      expect.objectContaining({ code: "SLUICE_STEP_BROKEN" }),
    );
    expect(() => buffer.put("k", undefined)).toThrow(expect.objectContaining({ code: "SLUICE_STEP_BROKEN" }));
  });
});
