/** Reads given partitions outside any group: nothing joins, nothing is committed, nothing is left behind. */
import type { BrokerAdmin, Tail, TailOptions, TopicPartition } from "@sluice/runtime";
import type { ConnectionSettings } from "./client.ts";
import { Reader } from "./reader.ts";

const partitionBytesMax = 1024 * 1024;

export async function openTail(
  settings: ConnectionSettings,
  admin: BrokerAdmin,
  options: TailOptions,
  onClosed: () => void,
): Promise<Tail & { destroy(): void }> {
  const positions = await firstPositions(admin, options);
  if (positions.size === 0) return { close: async () => onClosed(), destroy: () => undefined };
  const byTopic = Map.groupBy(options.from, ({ topic }) => topic);
  const assignment = [...byTopic].map(([topic, from]) => ({
    topic,
    partitions: [...new Set(from.map(({ partition }) => partition))],
  }));
  const reader: Reader = new Reader(
    settings,
    {
      groupId: "sluice.tail",
      topics: [...byTopic.keys()],
      assignment,
      assigner: () => ({
        name: "sluice-tail",
        version: 1,
        assign: async () => [],
        protocol: () => ({ name: "sluice-tail", metadata: Buffer.alloc(0) }),
      }),
      sessionTimeoutMs: 30_000,
      heartbeatIntervalMs: 3_000,
      rebalanceTimeoutMs: 30_000,
      partitionBytesMax,
      check: () => undefined,
    },
    {
      onJoined: () => {
        for (const { at, offset } of positions.values()) reader.seek(at, offset);
        reader.resume([...positions.values()].map(({ at }) => at));
      },
      onBatch: (batch) => {
        positions.set(keyOf(batch), {
          at: { topic: batch.topic, partition: batch.partition },
          offset: batch.nextOffset,
        });
        options.onBatch(batch);
      },
      onHeartbeat: () => undefined,
      onRebalancing: () => undefined,
      onFailed: options.onFailed,
    },
  );
  await reader.open();
  return {
    close: () => {
      onClosed();
      return reader.close();
    },
    destroy: () => reader.destroy(),
  };
}

type Positions = Map<string, { readonly at: TopicPartition; readonly offset: number }>;

async function firstPositions(admin: BrokerAdmin, { from }: TailOptions): Promise<Positions> {
  const positions: Positions = new Map();
  const asked = new Map<string, ReturnType<BrokerAdmin["watermarks"]>>();
  for (const { topic, partition, offset } of from) {
    const at = { topic, partition };
    if (typeof offset === "number") {
      positions.set(keyOf(at), { at, offset });
      continue;
    }
    const asking = asked.get(topic) ?? admin.watermarks(topic);
    asked.set(topic, asking);
    const marks = (await asking)[partition];
    if (marks === undefined) throw new Error(`${topic} has no partition ${partition}`);
    positions.set(keyOf(at), { at, offset: offset === "start" ? marks.low : marks.high });
  }
  return positions;
}

function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic}:${partition}`;
}
