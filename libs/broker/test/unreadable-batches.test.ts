import { gzipSync, zstdCompressSync } from "node:zlib";
import { compressFrame } from "lz4-napi";
import { compress } from "snappy";
import { beforeAll, describe, expect, test } from "vitest";
import { registerCodecs } from "../src/kafkajs/codecs.ts";
import { DecoderClass } from "../src/kafkajs/internals.ts";
import { decodeRecordBatches } from "../src/kafkajs/record-batches.ts";

beforeAll(() => registerCodecs());

const codecs = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 } as const;
type Codec = keyof typeof codecs;

/** One record of a batch, by the format's description: all numbers below 64, so that each varint is one byte. */
function recordOf(offsetDelta: number, value: string): Buffer {
  const varint = (number: number): number => number << 1;
  const body = Buffer.concat([
    Buffer.from([0, varint(0), varint(offsetDelta), varint(-1) & 0xff ? 1 : 0, varint(value.length)]),
    Buffer.from(value),
    Buffer.from([0]),
  ]);
  return Buffer.concat([Buffer.from([varint(body.length)]), body]);
}

/** A record batch of version 2 at an offset, with the records' part as given. */
function batch(firstOffset: number, count: number, codec: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(61);
  head.writeBigInt64BE(BigInt(firstOffset), 0);
  head.writeInt32BE(61 - 12 + payload.length, 8);
  head.writeInt8(2, 16);
  head.writeInt16BE(codec, 21);
  head.writeInt32BE(count - 1, 23);
  head.writeBigInt64BE(1_700_000_000_000n, 27);
  head.writeBigInt64BE(1_700_000_000_000n, 35);
  head.writeBigInt64BE(-1n, 43);
  head.writeInt32BE(count, 57);
  return Buffer.concat([head, payload]);
}

function decode(...batches: readonly Buffer[]): ReturnType<ReturnType<typeof decodeRecordBatches>> {
  const bytes = Buffer.concat(batches);
  const size = Buffer.alloc(4);
  size.writeInt32BE(bytes.length);
  const never = (): Promise<never> => Promise.reject(new Error("not an old format"));
  return decodeRecordBatches(never)(new DecoderClass(Buffer.concat([size, bytes])));
}

const plain = Buffer.concat([recordOf(0, "first"), recordOf(1, "second")]);
const squeezed: Readonly<Record<Codec, () => Promise<Buffer>>> = {
  none: async () => plain,
  gzip: async () => gzipSync(plain),
  snappy: () => compress(plain),
  lz4: () => compressFrame(plain),
  zstd: async () => zstdCompressSync(plain),
};

describe("record batches", () => {
  test.each(Object.keys(codecs) as Codec[])("are read where they are compressed with %s", async (codec) => {
    const messages = await decode(batch(7, 2, codecs[codec], await squeezed[codec]()));
    expect(messages.map(({ offset, value }) => [offset, String(value)])).toEqual([
      ["7", "first"],
      ["8", "second"],
    ]);
    expect(messages.nextOffset).toBe(9);
  });

  test.each(Object.entries({ ...codecs, unknown: 6 }))(
    "damaged ones (%s) are one record with their bytes and the fault, and those behind them are read",
    async (name, codec) => {
      const damaged = Buffer.from([0x3c, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06]);
      const behind = batch(12, 2, codecs.none, plain);
      const messages = await decode(batch(9, 3, codec, damaged), behind);
      expect(messages.map(({ offset }) => offset)).toEqual(["9", "12", "13"]);
      expect(messages[0]?.value).toEqual(damaged);
      expect(messages[0]?.fault).toContain("a batch of 3 records, compression ");
      if (name !== "unknown") expect(messages[0]?.fault).toContain(name);
      expect(messages[1]?.fault).toBeUndefined();
      expect(messages.nextOffset).toBe(14);
    },
  );

  test("one that says it inflates to 4 GiB is not inflated", async () => {
    const bomb = Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f, 0x00, 0x61]);
    const messages = await decode(batch(0, 1, codecs.snappy, bomb));
    expect(messages[0]?.fault).toContain("inflates to 4294967295 bytes");
  });

  test("a batch that the broker has cut off is left for the next fetch", async () => {
    const whole = batch(0, 2, codecs.none, plain);
    const cut = batch(2, 2, codecs.none, plain).subarray(0, -1);
    const messages = await decode(whole, cut);
    expect(messages.map(({ offset }) => offset)).toEqual(["0", "1"]);
    expect(messages.nextOffset).toBe(2);
  });
});
