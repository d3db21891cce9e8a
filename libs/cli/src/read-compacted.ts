/** Reads the latest value of a key of a compacted topic. */
import { decodeRecord } from "@sluice/records";
import type { Broker } from "@sluice/runtime";

export interface CompactedKey {
  /** Name in the table of topics. */
  readonly topic: string;
  readonly prefix: string;
  readonly partition: number;
  readonly key: string;
}

/**
 * The latest valid value of the key, from the partition's start to its end as it is now; null where there is
 * none or where it was removed. Rejects where the reader fails for good.
 */
export async function readCompacted(
  broker: Broker,
  { topic, prefix, partition, key }: CompactedKey,
): Promise<unknown> {
  const name = prefix + topic;
  const marks = (await broker.admin.watermarks(name))[partition];
  if (marks === undefined) throw new Error(`${name} has no partition ${partition}`);
  if (marks.low >= marks.high) return null;
  let latest: unknown = null;
  const end = Promise.withResolvers<void>();
  const tail = await broker.tail({
    from: [{ topic: name, partition, offset: "start" }],
    onBatch: (batch) => {
      for (const record of batch.records) {
        if (record.key?.toString("utf8") !== key) continue;
        const decoded = decodeRecord(topic, record.value);
        if (decoded.kind === "value") latest = decoded.value;
        else if (decoded.kind === "tombstone") latest = null;
      }
      if (batch.nextOffset >= marks.high) end.resolve();
    },
    onFailed: (error, restarting) => {
      if (!restarting) end.reject(error);
    },
  });
  try {
    await end.promise;
  } finally {
    await tail.close();
  }
  return latest;
}
