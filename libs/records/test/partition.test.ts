import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { murmur2, partitionOf } from "../src/partition.ts";

/** The algorithm in exact integers, cut to 32 bits after every step. */
function exactMurmur2(bytes: Uint8Array): number {
  const cut = (value: bigint) => BigInt.asUintN(32, value);
  const m = 0x5bd1e995n;
  let h = cut(0x9747b28cn ^ BigInt(bytes.length));
  let rest = [...bytes].map(BigInt);
  while (rest.length >= 4) {
    const [a = 0n, b = 0n, c = 0n, d = 0n] = rest;
    let k = cut((a | (b << 8n) | (c << 16n) | (d << 24n)) * m);
    k = cut((k ^ (k >> 24n)) * m);
    h = cut(h * m) ^ k;
    rest = rest.slice(4);
  }
  const [a, b = 0n, c = 0n] = rest;
  if (a !== undefined) h = cut((h ^ (a | (b << 8n) | (c << 16n))) * m);
  h = cut((h ^ (h >> 13n)) * m);
  h ^= h >> 15n;
  return Number(BigInt.asIntN(32, h));
}

describe("partition", () => {
  test.each([
    ["21", -973932308],
    ["foobar", -790332482],
    ["a-little-bit-long-string", -985981536],
    ["a-little-bit-longer-string", -1486304829],
    ["lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971],
    ["abc", 479470107],
  ])("%s hashes as with Kafka's Java client", (key, hash) => {
    expect(murmur2(Buffer.from(key))).toBe(hash);
  });

  test.each([
    ["example.com", 9],
    ["bücher.example", 8],
    ["https://example.com/", 7],
  ])("%s goes to partition %i of 12", (key, partition) => {
    expect(partitionOf(key, 12)).toBe(partition);
  });

  test("any bytes hash as in exact integers", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 67 }), (bytes) => {
        expect(murmur2(bytes)).toBe(exactMurmur2(bytes));
      }),
      { numRuns: 5000 },
    );
  });

  test("every key has a partition, of any number of them", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.integer({ min: 1, max: 1000 }), (key, partitions) => {
        const partition = partitionOf(key, partitions);
        expect(Number.isInteger(partition) && partition >= 0 && partition < partitions).toBe(true);
      }),
    );
  });

  test("a number of partitions that is none throws", () => {
    for (const partitions of [0, -1, 1.5, Number.NaN]) {
      expect(() => partitionOf("example.com", partitions)).toThrow(RangeError);
    }
  });
});
