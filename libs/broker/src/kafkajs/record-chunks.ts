/** Out records to the requests of kafkajs, each partition's share small enough for one record batch. */
import type { OutRecord, Written } from "@sluice/runtime";
import type { Message, RecordMetadata, TopicMessages } from "kafkajs";

/**
 * kafkajs sends all records of a partition in one record batch, and the broker holds its limit
 * (`max.message.bytes`, 1 MiB by default) against that batch, not against a record.
 */
export const recordBatchBytesMax = 900 * 1024;
const recordOverheadBytes = 64;

/** Requests in the order they must be sent in; a record above the limit goes alone, for the broker to refuse. */
export function chunksOf(records: readonly OutRecord[], bytesMax = recordBatchBytesMax): TopicMessages[][] {
  const chunks: Map<string, Message[]>[] = [];
  const last = new Map<string, { index: number; bytes: number }>();
  for (const record of records) {
    const bytes = bytesOf(record);
    const key = `${record.topic}:${record.partition}`;
    const open = last.get(key) ?? { index: 0, bytes: 0 };
    if (open.bytes > 0 && open.bytes + bytes > bytesMax) {
      open.index += 1;
      open.bytes = 0;
    }
    open.bytes += bytes;
    last.set(key, open);
    const chunk = (chunks[open.index] ??= new Map<string, Message[]>());
    const messages = chunk.get(record.topic);
    if (messages === undefined) chunk.set(record.topic, [messageOf(record)]);
    else messages.push(messageOf(record));
  }
  return chunks.map((chunk) => [...chunk].map(([topic, messages]) => ({ topic, messages })));
}

/** Highest offset by partition; throws where the broker did not confirm a partition that was sent to. */
export function lastOffsets(
  chunk: readonly TopicMessages[],
  confirmed: readonly RecordMetadata[],
): Written[] {
  const bases = new Map(
    confirmed.map(({ topicName, partition, baseOffset }) => [
      `${topicName}:${partition}`,
      Number(baseOffset),
    ]),
  );
  return chunk.flatMap(({ topic, messages }) => {
    const counts = new Map<number, number>();
    for (const { partition = 0 } of messages) counts.set(partition, (counts.get(partition) ?? 0) + 1);
    return [...counts].map(([partition, count]) => {
      const base = bases.get(`${topic}:${partition}`);
      // kafkajs drops the records of a partition that the topic does not have, without a word.
      if (base === undefined || base < 0) throw new Error(`nothing was written to ${topic}-${partition}`);
      return { topic, partition, lastOffset: base + count - 1 };
    });
  });
}

function messageOf({ partition, key, value, headers }: OutRecord): Message {
  return { partition, key, value, ...(headers === undefined ? {} : { headers: { ...headers } }) };
}

function bytesOf({ key, value, headers = {} }: OutRecord): number {
  let bytes = recordOverheadBytes + lengthOf(key) + lengthOf(value);
  for (const [name, text] of Object.entries(headers)) bytes += lengthOf(name) + lengthOf(text) + 4;
  return bytes;
}

function lengthOf(content: string | Buffer | null): number {
  return content === null ? 0 : Buffer.byteLength(content);
}
