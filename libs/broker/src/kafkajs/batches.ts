/** From kafkajs' batch to the port's. */
import type { Batch, BrokerRecord } from "@sluice/runtime";
import type { InternalBatch, RawMessage } from "./internals.ts";
import { nextOffsetOf } from "./patches.ts";

export function batchOf(fetched: InternalBatch, fromOffset: number): Batch {
  return {
    topic: fetched.topic,
    partition: fetched.partition,
    records: fetched.messages.map(recordOf),
    fromOffset,
    nextOffset: nextOffsetOf(fetched),
    highWatermark: Number(fetched.highWatermark),
  };
}

function recordOf(message: RawMessage): BrokerRecord {
  return {
    offset: Number(message.offset),
    key: owned(message.key),
    value: owned(message.value),
    headers: headersOf(message.headers),
    timestampMs: Number(message.timestamp),
    ...(message.fault === undefined ? {} : { fault: message.fault }),
  };
}

/** A copy: kafkajs' buffers are views of the whole fetch answer, which one held record would keep alive. */
function owned(bytes: Buffer | null): Buffer | null {
  return bytes === null ? null : Buffer.from(bytes);
}

/** Of a header given more than once the first counts, as with HTTP libraries' usual reading. */
function headersOf(headers: RawMessage["headers"]): Readonly<Record<string, string>> {
  const texts: Record<string, string> = {};
  for (const [name, given] of Object.entries(headers)) {
    const first = Array.isArray(given) ? given[0] : given;
    if (first !== undefined && first !== null) texts[name] = first.toString();
  }
  return texts;
}
