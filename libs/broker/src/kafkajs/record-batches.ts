/** Fetched record batches to the messages a read_committed reader may see, with the holes accounted for. */
import { SluiceError } from "@sluice/errors";
import { DecoderClass, decodeRecordBatch } from "./internals.ts";
import type { Decoder, PartitionData, RawMessage, RawMessages } from "./internals.ts";

/** Bytes from the base offset to the record count, less the count's own: the least a batch can have. */
const overheadBytes = 49;
const magicAt = 16;
const magic2 = 2;

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
    if (bytes.length <= magicAt || bytes.readInt8(magicAt) !== magic2) {
      ahead.offset = start;
      return original(decoder);
    }
    const messages: RawMessages = [];
    const batches = new DecoderClass(bytes);
    while (batches.canReadBytes(overheadBytes)) {
      try {
        const batch = await decodeRecordBatch(batches);
        for (const record of batch.records) messages.push(record);
        messages.nextOffset = Number(batch.firstOffset) + batch.lastOffsetDelta + 1;
      } catch (error) {
        if (!(error instanceof Error)) throw error;
        // The broker cuts the answer at the byte limit, in the middle of a batch.
        if (error.name === "KafkaJSPartialMessageError") break;
        // Snappy and LZ4 are not built in; an inflated size beyond the limit is a bomb.
        if (
          error.name === "KafkaJSNotImplemented" ||
          ("code" in error && error.code === "ERR_BUFFER_TOO_LARGE")
        ) {
          throw new SluiceError(
            "SLUICE_CONSUMER_DEAD",
            `a fetched record batch can't be read: ${error.message}`,
            {
              cause: error,
            },
          );
        }
        throw error;
      }
    }
    return messages;
  };
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
