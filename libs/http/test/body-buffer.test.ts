import { randomFillSync } from "node:crypto";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BodyBuffer } from "../src/body-buffer.ts";

test("keeps a copy of the first bytes up to its limit, in a buffer of exactly their length", () => {
  const chunks = fc.array(fc.uint8Array({ maxLength: 40_000 }), { maxLength: 8 });
  const hint = fc.option(fc.integer({ min: 0, max: 1_000_000 }));
  fc.assert(
    fc.property(
      chunks,
      fc.integer({ min: 0, max: 100_000 }),
      hint,
      fc.boolean(),
      (pieces, bytesMax, promised, packs) => {
        const buffer = new BodyBuffer(bytesMax, { hint: promised, packs });
        const all = Buffer.concat(pieces);
        let pushed = 0;
        for (const piece of pieces) {
          pushed += piece.length;
          expect(buffer.push(piece)).toBe(pushed <= bytesMax);
          if (pushed > bytesMax) break;
          piece.fill(0);
        }
        const kept = buffer.take();
        expect(Buffer.from(kept).equals(all.subarray(0, Math.min(pushed, bytesMax)))).toBe(true);
        expect(kept.buffer.byteLength).toBe(kept.length);
      },
    ),
    { numRuns: 200 },
  );
});

const mebibyte = 1_048_576;
const chunkBytes = 32_768;

/** Pushes `bytes` in chunks as decoders give them; the most it held on the way. */
function fill(buffer: BodyBuffer, bytes: Uint8Array): number {
  let most = 0;
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    buffer.push(bytes.subarray(at, at + chunkBytes));
    most = Math.max(most, buffer.heldBytes);
  }
  return most;
}

describe("a large body", () => {
  const kinds: readonly (readonly [string, (bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>])[] = [
    ["of noise", (bytes) => randomFillSync(bytes)],
    ["of one byte over and over", (bytes) => bytes.fill(120)],
    ["of both", (bytes) => (randomFillSync(bytes.subarray(0, bytes.length >> 1)), bytes)],
  ];
  test.each(kinds)("%s comes back as it was, packed or not, at whatever length", (_, made) => {
    for (const length of [262_143, 262_144, 262_145, mebibyte, mebibyte + 262_145, 3 * mebibyte + 17]) {
      const bytes = made(new Uint8Array(length));
      for (const packs of [false, true]) {
        const buffer = new BodyBuffer(4 * mebibyte, { packs });
        expect(fill(buffer, bytes)).toBeLessThanOrEqual(length + 262_144);
        const body = buffer.take();
        expect(Buffer.compare(body, bytes)).toBe(0);
        expect(body.buffer.byteLength).toBe(length);
        expect([buffer.length, buffer.heldBytes]).toEqual([0, 0]);
      }
    }
  });

  test("is held as it came beside a decoder that keeps little, and of a bomb only the beginning beside one that keeps much", () => {
    const bomb = new Uint8Array(10 * mebibyte);
    expect(fill(new BodyBuffer(bomb.length), bomb)).toBe(bomb.length);
    expect(fill(new BodyBuffer(bomb.length, { packs: true }), bomb)).toBeLessThan(2 * mebibyte);
  });

  test("is cut at its limit", () => {
    const buffer = new BodyBuffer(2 * mebibyte, { packs: true });
    const bytes = randomFillSync(new Uint8Array(3 * mebibyte));
    expect(buffer.push(bytes)).toBe(false);
    expect(Buffer.compare(buffer.take(), bytes.subarray(0, 2 * mebibyte))).toBe(0);
  });
});
