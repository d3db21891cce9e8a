import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeOffsetMap, encodeOffsetMap, metadataBytesMax } from "../src/offset-map.ts";

/** Offsets of flat ranges. */
function offsetsOf(edges: readonly number[]): Set<number> {
  const offsets = new Set<number>();
  for (let edge = 0; edge + 1 < edges.length; edge += 2) {
    for (let offset = edges[edge] ?? 0; offset < (edges[edge + 1] ?? 0); offset++) offsets.add(offset);
  }
  return offsets;
}

/** Flat ranges from lengths: a gap, a run, a gap, a run … */
function edgesFrom(committed: number, lengths: readonly (readonly [number, number])[]): number[] {
  const edges: number[] = [];
  let at = committed;
  for (const [gap, run] of lengths) {
    edges.push(at + gap, at + gap + run);
    at += gap + run;
  }
  return edges;
}

const committedOffset = fc.oneof(fc.nat(1000), fc.integer({ min: 0, max: 2 ** 52 }));
const lengths = (maxRun: number, maxLength: number) =>
  fc.array(fc.tuple(fc.integer({ min: 1, max: maxRun }), fc.integer({ min: 1, max: maxRun })), { maxLength });

/** A pattern that neither form can shorten. */
function noise(bits: number): number[] {
  const edges: number[] = [];
  let state = 1;
  let inside = false;
  for (let bit = 1; bit < bits; bit++) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    const set = ((state >>> 16) & 1) === 1;
    if (set !== inside) edges.push(bit);
    inside = set;
  }
  if (inside) edges.push(bits);
  return edges;
}

describe("offset map", () => {
  test("nothing completed is an empty string", () => {
    expect(encodeOffsetMap(7, [])).toEqual({ metadata: "", fill: 0 });
    expect(decodeOffsetMap(7, "")).toEqual([]);
  });

  test("the form of both encodings is pinned, since older commits must stay readable", () => {
    expect(encodeOffsetMap(5, [6, 1000]).metadata).toBe("sl1rBQHiBw");
    expect(encodeOffsetMap(5, [6, 7, 8, 9, 10, 11]).metadata).toBe("sl1bBSo");
    expect(decodeOffsetMap(5, "sl1rBQHiBw")).toEqual([6, 1000]);
    expect(decodeOffsetMap(5, "sl1bBSo")).toEqual([6, 7, 8, 9, 10, 11]);
  });

  test("what fits comes back exactly", () => {
    fc.assert(
      fc.property(committedOffset, fc.boolean(), lengths(200, 40), (committed, fromStart, pairs) => {
        const first = pairs[0];
        const given: (readonly [number, number])[] =
          fromStart && first !== undefined ? [[0, first[1]], ...pairs.slice(1)] : pairs;
        const edges = edgesFrom(committed, given);
        const { metadata, fill } = encodeOffsetMap(committed, edges);
        expect(fill).toBe(metadata.length / metadataBytesMax);
        expect(decodeOffsetMap(committed, metadata)).toEqual(edges);
      }),
      { numRuns: 10_000 },
    );
  });

  test("what does not fit comes back as a prefix, in at most 4,096 bytes", () => {
    let cut = 0;
    fc.assert(
      fc.property(
        committedOffset,
        fc.constantFrom(2, 20, 300, 20_000),
        fc.infiniteStream(fc.nat()),
        (committed, maxRun, stream) => {
          const pairs = Array.from({ length: 4000 }, (): [number, number] => [
            1 + ((stream.next().value ?? 0) % maxRun),
            1 + ((stream.next().value ?? 0) % maxRun),
          ]);
          const edges = edgesFrom(committed, pairs);
          const { metadata, fill } = encodeOffsetMap(committed, edges);
          expect(metadata.length).toBeLessThanOrEqual(metadataBytesMax);
          const decoded = decodeOffsetMap(committed, metadata);
          expect(decoded.length).toBeGreaterThan(0);
          if (fill < 1) {
            expect(decoded).toEqual(edges);
            return;
          }
          cut++;
          expect(metadata.length).toBeGreaterThan(metadataBytesMax - 24);
          expect(decoded.slice(0, -1)).toEqual(edges.slice(0, decoded.length - 1));
          expect(decoded.at(-1)).toBeLessThanOrEqual(edges[decoded.length - 1] ?? 0);
        },
      ),
      { numRuns: 100 },
    );
    expect(cut).toBeGreaterThan(10);
  });

  test("a span of 100,000 with one stuck record takes a few bytes, noise takes all and is cut", () => {
    expect(encodeOffsetMap(0, [1, 100_000]).metadata.length).toBeLessThan(16);
    const edges = noise(100_000);
    const { metadata, fill } = encodeOffsetMap(0, edges);
    expect(fill).toBe(1);
    expect(metadata.length).toBe(metadataBytesMax);
    const kept = offsetsOf(decodeOffsetMap(0, metadata));
    const given = offsetsOf(edges);
    expect([...kept].every((offset) => given.has(offset))).toBe(true);
    expect(kept.size).toBeGreaterThan(12_000);
  });

  test("of two prefixes the one that reaches further is kept", () => {
    const scattered = edgesFrom(
      0,
      Array.from({ length: 5000 }, () => [1, 300] as const),
    );
    const decoded = decodeOffsetMap(0, encodeOffsetMap(0, scattered).metadata);
    // Three bytes a range: about 1,000 ranges of 301 offsets; a bit set would end at 24,500.
    expect(decoded.at(-1)).toBeGreaterThan(300_000);
  });

  test("a map that was carried to another offset is not believed", () => {
    const { metadata } = encodeOffsetMap(100, [101, 200]);
    expect(decodeOffsetMap(101, metadata)).toEqual([]);
    expect(decodeOffsetMap(0, metadata)).toEqual([]);
  });

  test("the metadata of someone else says that nothing was completed, and never throws", () => {
    const ours = lengths(50, 20).map((pairs) => encodeOffsetMap(9, edgesFrom(9, pairs)).metadata);
    for (const metadata of [
      "NoMetadata",
      "{}",
      "sl1",
      "sl1r",
      "sl1x",
      "sl1rBQHiBw==",
      "sl1r!!!!",
      "bgAAAA",
    ]) {
      expect(decodeOffsetMap(5, metadata)).toEqual([]);
    }
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: "binary" }),
          fc.tuple(fc.constantFrom("sl1r", "sl1b"), fc.base64String()).map(([head, tail]) => head + tail),
        ),
        (metadata) => {
          for (const edge of decodeOffsetMap(9, metadata)) expect(Number.isSafeInteger(edge)).toBe(true);
        },
      ),
      { numRuns: 5000 },
    );
    fc.assert(
      fc.property(ours, fc.nat(60), (metadata, length) => {
        const all = offsetsOf(decodeOffsetMap(9, metadata));
        const some = offsetsOf(decodeOffsetMap(9, metadata.slice(0, length)));
        expect([...some].every((offset) => all.has(offset))).toBe(true);
      }),
      { numRuns: 5000 },
    );
  });

  test("run lengths beyond the safe integers are not believed", () => {
    const huge = Buffer.from([9, 1, ...Array.from({ length: 7 }, () => 0xff), 0x0f, 1, 1]);
    expect(decodeOffsetMap(9, `sl1r${huge.toString("base64url")}`)).toEqual([]);
  });
});
