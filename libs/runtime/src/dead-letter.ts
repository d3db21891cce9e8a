import type { BrokerRecord, OutRecord } from "./broker.ts";
import { recordBytesMax } from "./output-buffer.ts";

export interface DeadLetterOrigin {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

export interface DeadLetterCause {
  readonly group: string;
  readonly service: string;
  readonly reason: string;
}

const reasonCharsMax = 2000;

/**
 * The dead letter of a record: its bytes, key and headers, and headers that say where it was and why it
 * could not be taken. A record that fills its topic's limit has no room for those: then its own headers are
 * left out, then key and value are cut, and further headers say so. Otherwise it could never be got rid of.
 */
export function deadLetter(raw: BrokerRecord, origin: DeadLetterOrigin, cause: DeadLetterCause): OutRecord {
  const about = {
    "dlq.original.topic": origin.topic,
    "dlq.original.partition": String(origin.partition),
    "dlq.original.offset": String(origin.offset),
    "dlq.original.timestamp": String(raw.timestampMs),
    "dlq.consumer.group": cause.group,
    "dlq.error.code": "SLUICE_RECORD_INVALID",
    "dlq.error.message": cause.reason.slice(0, reasonCharsMax),
    "dlq.service": cause.service,
  };
  const at = { topic: `${origin.topic}.dlq`, partition: 0 };
  const { key, value } = raw;
  const keyBytes = key?.length ?? 0;
  const valueBytes = value?.length ?? 0;
  const ownBytes = headerBytes(raw.headers);
  let room = recordBytesMax - headerBytes(about) - noteBytes;
  if (keyBytes + valueBytes + ownBytes <= room)
    return { ...at, key, value, headers: { ...raw.headers, ...about } };
  const cutKey = cut(key, room);
  room -= cutKey?.length ?? 0;
  const cutValue = cut(value, room);
  return {
    ...at,
    key: cutKey,
    value: cutValue,
    headers: {
      ...about,
      "dlq.original.headers.bytes": String(ownBytes),
      ...(cutKey === key ? {} : { "dlq.original.key.bytes": String(keyBytes) }),
      ...(cutValue === value ? {} : { "dlq.original.value.bytes": String(valueBytes) }),
    },
  };
}

/** For the headers that tell of cuts. */
const noteBytes = 512;

function cut(bytes: Buffer | null, room: number): Buffer | null {
  return bytes === null || bytes.length <= room ? bytes : bytes.subarray(0, Math.max(0, room));
}

function headerBytes(headers: Readonly<Record<string, string>>): number {
  let bytes = 0;
  // Each has two lengths before it.
  for (const [name, value] of Object.entries(headers))
    bytes += Buffer.byteLength(name) + Buffer.byteLength(value) + 10;
  return bytes;
}
