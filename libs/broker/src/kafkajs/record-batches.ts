/** Fetched record batches to the messages a read_committed reader may see, with the holes accounted for. */
import { DecoderClass, decodeRecordBatch } from "./internals.ts";
import type { Decoder, PartitionData, RawMessage, RawMessages } from "./internals.ts";

/** Where the fields of a record batch of version 2 are (kafka.apache.org/documentation, "Record Batch"). */
const at = {
  length: 8,
  magic: 16,
  attributes: 21,
  lastOffsetDelta: 23,
  maxTimestamp: 35,
  producerId: 43,
  recordCount: 57,
  records: 61,
} as const;
/** Bytes before those that the length counts. */
const prefixBytes = 12;
const magic2 = 2;
const compressions = ["none", "gzip", "snappy", "lz4", "zstd"] as const;
const compressionMask = 0b111;
const transactionalFlag = 0b1_0000;

type DecodeMessages = (decoder: Decoder) => Promise<RawMessages>;

/**
 * Decodes like kafkajs, and keeps in `nextOffset` where the last complete batch ends: a batch emptied by
 * compaction has no record to tell. Older message formats go to kafkajs' own decoder.
 */
export function decodeRecordBatches(original: DecodeMessages): DecodeMessages {
  return async (decoder) => {
    const ahead = decoder as Decoder & { buffer: Buffer; offset: number };
    const start = ahead.offset;
    const size = decoder.readInt32();
    if (size <= 0 || !decoder.canReadBytes(size)) return [];
    const bytes = decoder.readBytes(size);
    if (bytes.length <= at.magic || bytes.readInt8(at.magic) !== magic2) {
      ahead.offset = start;
      return original(decoder);
    }
    const messages: RawMessages = [];
    let from = 0;
    while (from + at.records <= bytes.length) {
      const batchBytes = prefixBytes + bytes.readInt32BE(from + at.length);
      // The broker cuts the answer at the byte limit, in the middle of a batch.
      if (from + batchBytes > bytes.length) break;
      const batch = bytes.subarray(from, from + batchBytes);
      from += batchBytes;
      const records = await recordsOf(batch);
      for (const record of records) messages.push(record);
      messages.nextOffset = Number(batch.readBigInt64BE(0)) + batch.readInt32BE(at.lastOffsetDelta) + 1;
    }
    return messages;
  };
}

/**
 * The records of a batch. One that can't be read (damaged, an unknown compression, inflated beyond the limit)
 * gives a single record with its bytes as they came and the fault: anyone may write to the public topics, and
 * what one client wrote must not stop everybody's crawl.
 */
async function recordsOf(batch: Buffer): Promise<readonly RawMessage[]> {
  try {
    return (await decodeRecordBatch(new DecoderClass(batch))).records;
  } catch (error) {
    const attributes = batch.readInt16BE(at.attributes);
    const compression = compressions[attributes & compressionMask] ?? String(attributes & compressionMask);
    const count = batch.readInt32BE(at.recordCount);
    const reason = error instanceof Error ? error.message : String(error);
    return [
      {
        offset: String(batch.readBigInt64BE(0)),
        timestamp: String(batch.readBigInt64BE(at.maxTimestamp)),
        key: null,
        value: batch.subarray(at.records),
        headers: {},
        isControlRecord: false,
        batchContext: {
          producerId: String(batch.readBigInt64BE(at.producerId)),
          inTransaction: (attributes & transactionalFlag) > 0,
        },
        fault: `a batch of ${count} records, compression ${compression}, can't be read: ${reason}`,
      },
    ];
  }
}

type Aborted = NonNullable<PartitionData["abortedTransactions"]>;

/**
 * Drops control records and the records of aborted transactions. `aborted` has the first offset of each
 * aborted transaction that reaches into the fetch, which may lie far before it: all that have begun by a
 * record are taken into account at once (kafkajs takes one a record, and lets later ones through).
 */
export function visibleMessages(messages: RawMessages, aborted: Aborted): RawMessages {
  const waiting = aborted
    .map(({ producerId, firstOffset }) => ({ producerId, firstOffset: Number(firstOffset) }))
    .sort((a, b) => a.firstOffset - b.firstOffset);
  const open = new Set<string>();
  let begun = 0;
  const visible: RawMessages = [];
  for (const message of messages) {
    const offset = Number(message.offset);
    for (let next = waiting[begun]; next !== undefined && next.firstOffset <= offset; next = waiting[begun]) {
      open.add(next.producerId);
      begun += 1;
    }
    const { producerId, inTransaction } = message.batchContext;
    if (message.isControlRecord) {
      if (isAbortMarker(message)) open.delete(producerId);
    } else if (!(inTransaction && open.has(producerId))) {
      visible.push(message);
    }
  }
  if (messages.nextOffset !== undefined) visible.nextOffset = messages.nextOffset;
  return visible;
}

/** A control record's key is its version and its type, two int16; type 0 is an abort. */
function isAbortMarker(message: RawMessage): boolean {
  return message.key !== null && message.key.length >= 4 && message.key.readInt16BE(2) === 0;
}
