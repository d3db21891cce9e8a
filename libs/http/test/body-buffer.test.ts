import * as fc from "fast-check";
import { expect, test } from "vitest";
import { BodyBuffer } from "../src/body-buffer.ts";

test("keeps a copy of the first bytes up to its limit, in a buffer of exactly their length", () => {
  const chunks = fc.array(fc.uint8Array({ maxLength: 40_000 }), { maxLength: 8 });
  const hint = fc.option(fc.integer({ min: 0, max: 1_000_000 }));
  fc.assert(
    fc.property(chunks, fc.integer({ min: 0, max: 100_000 }), hint, (pieces, bytesMax, promised) => {
      const buffer = new BodyBuffer(bytesMax, promised);
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
    }),
    { numRuns: 200 },
  );
});
