import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DecoderClass } from "../../src/kafkajs/internals.ts";
import type { RawMessage, RawMessages } from "../../src/kafkajs/internals.ts";
import { decodeRecordBatches, visibleMessages } from "../../src/kafkajs/record-batches.ts";

const decode = decodeRecordBatches(async () => {
  throw new Error("not an old message format");
});

/** A record batch of format 2 as a broker sends it; `records` are already encoded. */
function batch(
  baseOffset: number,
  lastOffsetDelta: number,
  records: readonly Buffer[],
  attributes = 0,
): Buffer {
  const body = Buffer.concat(records);
  const bytes = Buffer.alloc(61 + body.length);
  bytes.writeBigInt64BE(BigInt(baseOffset), 0);
  bytes.writeInt32BE(bytes.length - 12, 8);
  bytes.writeInt8(2, 16);
  bytes.writeInt16BE(attributes, 21);
  bytes.writeInt32BE(lastOffsetDelta, 23);
  bytes.writeInt32BE(records.length, 57);
  body.copy(bytes, 61);
  return bytes;
}

/** One record with an empty key and an empty value. */
const record = (offsetDelta: number): Buffer => {
  const body = Buffer.from([0, 0, offsetDelta * 2, 0, 0, 0]);
  return Buffer.concat([Buffer.from([body.length * 2]), body]);
};

async function decoded(...batches: readonly Buffer[]): Promise<RawMessages> {
  const bytes = Buffer.concat(batches);
  const size = Buffer.alloc(4);
  size.writeInt32BE(bytes.length);
  return decode(new DecoderClass(Buffer.concat([size, bytes])));
}

describe("a fetch", () => {
  test("of a batch that compaction emptied still tells where it ends", async () => {
    const messages = await decoded(batch(10, 4, []));
    expect(messages).toHaveLength(0);
    expect(messages.nextOffset).toBe(15);
  });

  test("whose last batch lost its tail to compaction ends where that batch ended", async () => {
    const messages = await decoded(batch(10, 0, [record(0)]), batch(11, 9, [record(0), record(3)]));
    expect(messages.map(({ offset }) => offset)).toEqual(["10", "11", "14"]);
    expect(messages.nextOffset).toBe(21);
  });

  test("cut in the middle of a batch ends behind the last complete one", async () => {
    const cut = batch(11, 1, [record(0), record(1)]);
    const messages = await decoded(batch(10, 0, [record(0)]), cut.subarray(0, cut.length - 3));
    expect(messages.map(({ offset }) => offset)).toEqual(["10"]);
    expect(messages.nextOffset).toBe(11);
  });

  test("of nothing tells no end", async () => {
    const messages = await decoded();
    expect(messages).toHaveLength(0);
    expect(messages.nextOffset).toBeUndefined();
  });
});

/** Writers take turns, each in a transaction that ends one way or the other; null closes the turn's own. */
const logs = fc.array(
  fc.record({ producer: fc.constantFrom("1", "2", "3"), ends: fc.constantFrom(null, "commit", "abort") }),
  { maxLength: 60 },
);

test("whatever writers interleave, exactly the records of committed transactions are visible from any offset", () => {
  fc.assert(
    fc.property(logs, fc.nat(60), (steps, from) => {
      const log: RawMessage[] = [];
      const open = new Map<string, number[]>();
      const aborted: { producerId: string; firstOffset: string; lastOffset: number }[] = [];
      const committed = new Set<number>();
      for (const { producer, ends } of [
        ...steps,
        ...["1", "2", "3"].map((producer) => ({ producer, ends: "commit" as const })),
      ]) {
        const offset = log.length;
        const own = open.get(producer);
        if (ends === null) open.set(producer, [...(own ?? []), offset]);
        else if (own === undefined) continue;
        else {
          open.delete(producer);
          if (ends === "commit") for (const at of own) committed.add(at);
          else aborted.push({ producerId: producer, firstOffset: String(own[0]), lastOffset: offset });
        }
        log.push(message(offset, producer, ends));
      }
      const fetched = log.slice(from);
      // The broker names the aborted transactions that reach into what is fetched.
      const named = aborted.filter(({ lastOffset }) => lastOffset >= from);
      const seen = visibleMessages(fetched, named).map(({ offset }) => Number(offset));
      expect(seen).toEqual(
        fetched.map(({ offset }) => Number(offset)).filter((offset) => committed.has(offset)),
      );
    }),
    { numRuns: 2_000 },
  );
});

test("a record whose key looks like an abort marker ends no transaction", () => {
  const aborted = { ...message(0, "1", null), key: Buffer.alloc(4) };
  expect(visibleMessages([aborted, message(1, "1", null)], [{ producerId: "1", firstOffset: "0" }])).toEqual(
    [],
  );
});

function message(offset: number, producerId: string, ends: "commit" | "abort" | null): RawMessage {
  return {
    offset: String(offset),
    timestamp: "0",
    key: ends === null ? null : Buffer.from([0, 0, 0, ends === "commit" ? 1 : 0]),
    value: null,
    headers: {},
    isControlRecord: ends !== null,
    batchContext: { producerId, inTransaction: true },
  };
}
