/** Finds what rate-limit has told of one domain. Read when asked for: there may be more hosts than fit in memory. */
import { decodeRecord, partitionOf, topics, type Host, type TopicLayout } from "@sluice/records";
import type { Broker } from "@sluice/runtime";
import { LogReader } from "./log-reader.ts";
import { unavailable } from "./record-writer.ts";

/** The newest record of the domain; null where there is none. @throws Problem 503 */
export async function readHost(broker: Broker, layout: TopicLayout, domain: string): Promise<Host | null> {
  const topic = layout.prefix + topics.hosts.name;
  const partition = partitionOf(domain, layout.partitions);
  try {
    const marks = await broker.admin.watermarks(topic);
    const { low, high } = marks[partition] ?? { low: 0, high: 0 };
    if (low >= high) return null;
    const reader = new LogReader(broker, [{ topic, partition, from: low, end: high }]);
    let found: Host | null = null;
    try {
      for (let batch = await reader.read(); batch !== null; batch = await reader.read()) {
        for (const { key, value } of batch.records) {
          if (key?.toString("utf8") !== domain) continue;
          const decoded = decodeRecord(topics.hosts.name, value);
          if (decoded.kind !== "poison") found = decoded.kind === "value" ? (decoded.value as Host) : null;
        }
      }
    } finally {
      await reader.close();
    }
    return found;
  } catch (error) {
    throw unavailable(error);
  }
}
