/** The broker port on kafkajs against a real Kafka, held to the suite that the memory broker passes. */
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { kafkajsBroker } from "@sluice/broker";
import { brokerConformance } from "@sluice/broker/conformance";
import { CommitFailed, type Broker, type Transaction } from "@sluice/runtime";
import kafkajs from "kafkajs";
import type { Kafka } from "kafkajs";
import { testBrokers } from "./brokers.ts";

const untilMs = 60_000;
const raw = {
  logLevel: kafkajs.logLevel.NOTHING,
  retry: { initialRetryTime: 5, retries: 200, factor: 0, multiplier: 1.2, maxRetryTime: 100 },
};

brokerConformance("kafkajs", async () => {
  const brokers = testBrokers();
  const closing: (() => Promise<void>)[] = [];
  const kafka = (): Kafka => new kafkajs.Kafka({ ...raw, brokers, clientId: "conformance" });
  const clients = new Map<Broker, () => void>();
  return {
    unique: randomUUID().slice(0, 8),
    sessionTimeoutMs: 6_000,
    heartbeatIntervalMs: 500,
    rebalanceTimeoutMs: 10_000,
    connect(clientName) {
      const client = kafkajsBroker({ brokers, clientId: clientName });
      clients.set(client, () => client.destroy());
      return client;
    },
    kill: (client) => clients.get(client)?.(),
    async until(condition, what) {
      const deadlineMs = performance.now() + untilMs;
      while (!(await condition())) {
        if (performance.now() > deadlineMs) throw new Error(`never came true: ${what}`);
        await delay(20);
      }
    },
    async openTransaction(transactionalId, transaction) {
      const producer = kafka().producer({
        transactionalId,
        idempotent: true,
        maxInFlightRequests: 1,
        createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
      });
      closing.push(() => producer.disconnect());
      await producer.connect();
      const open = await producer.transaction();
      await open.sendBatch({ topicMessages: topicMessages(transaction) });
      await open.sendOffsets({ consumerGroupId: transaction.group, topics: offsetTopics(transaction) });
      return {
        async commit() {
          try {
            await open.commit();
          } catch (cause) {
            const fenced = (cause as { type?: string }).type === "INVALID_PRODUCER_EPOCH";
            throw new CommitFailed("the open transaction did not commit", { cause, fenced });
          }
        },
      };
    },
    async trim({ topic, partition }, lowOffset) {
      const admin = kafka().admin();
      await admin.connect();
      // Loads the topic's metadata, without which deleteTopicRecords fails.
      await admin.fetchTopicOffsets(topic);
      await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: String(lowOffset) }] });
      await admin.disconnect();
    },
    async close() {
      await Promise.all(closing.map((close) => close()));
    },
  };
});

function topicMessages({ records }: Transaction) {
  return [...Map.groupBy(records, ({ topic }) => topic)].map(([topic, of]) => ({
    topic,
    messages: of.map(({ partition, key, value }) => ({ partition, key, value })),
  }));
}

function offsetTopics({ offsets }: Transaction) {
  return [...Map.groupBy(offsets, ({ topic }) => topic)].map(([topic, of]) => ({
    topic,
    partitions: of.map(({ partition, offset, metadata }) => ({
      partition,
      offset: String(offset),
      metadata,
    })),
  }));
}
