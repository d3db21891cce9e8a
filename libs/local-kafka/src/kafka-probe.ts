/** Asks whether a Kafka answers. */
import { createRequire } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "@sluice/errors";
import { Kafka, logLevel } from "kafkajs";
import type { KafkaConfig } from "kafkajs";

/** How to reach a secured cluster; as kafkajs has it. */
export type KafkaSecurity = Pick<KafkaConfig, "ssl" | "sasl">;

interface RequestQueue {
  prototype: { readonly pending: readonly unknown[]; scheduleCheckPendingRequests: () => void };
}

/** kafkajs re-arms a timer with a negative delay while nothing is pending (tulios/kafkajs#1751). */
function quietIdleQueues(): void {
  const queue = createRequire(import.meta.url)("kafkajs/src/network/requestQueue") as RequestQueue;
  const schedule = queue.prototype.scheduleCheckPendingRequests;
  queue.prototype.scheduleCheckPendingRequests = function scheduleWherePending(): void {
    if (this.pending.length > 0) schedule.call(this);
  };
}
quietIdleQueues();

export interface ProbeOptions {
  readonly timeoutMs: number;
  readonly security?: KafkaSecurity;
  /** Also wait until topics can be created: the port is open before the controller is. */
  readonly untilTopicsCanBeCreated: boolean;
  /** Asked before each attempt; a reason, e.g. that the broker's process is gone, ends the waiting. */
  readonly givenUp?: () => string | undefined | Promise<string | undefined>;
  /** What is thrown at once where an attempt fails with an error that no further one can mend. */
  readonly refusal?: Refusal;
}

/** Undefined: the error may pass. */
export type Refusal = (error: unknown) => Error | undefined;

/**
 * Resolves to undefined as soon as the Kafka answers, or to the last reason why it does not. Rejects with a
 * refusal.
 */
export async function awaitKafka(
  brokers: readonly string[],
  options: ProbeOptions,
): Promise<string | undefined> {
  const untilMs = performance.now() + options.timeoutMs;
  for (;;) {
    const gone = await options.givenUp?.();
    if (gone !== undefined) return gone;
    const failure = await probe(brokers, options);
    if (failure === undefined) return undefined;
    if (performance.now() >= untilMs) return failure;
    await sleep(100);
  }
}

async function probe(brokers: readonly string[], options: ProbeOptions): Promise<string | undefined> {
  const kafka = new Kafka({
    clientId: "sluice-probe",
    brokers: [...brokers],
    ...options.security,
    connectionTimeout: 2_000,
    requestTimeout: 5_000,
    retry: { retries: 0, initialRetryTime: 10, maxRetryTime: 100, factor: 0, multiplier: 1 },
    logLevel: logLevel.NOTHING,
  });
  const admin = kafka.admin();
  try {
    await admin.connect();
    await admin.describeCluster();
    if (options.untilTopicsCanBeCreated) {
      const topics = [{ topic: "sluice-probe", numPartitions: 1, replicationFactor: 1 }];
      await admin.createTopics({ validateOnly: true, waitForLeaders: false, topics });
    }
    return undefined;
  } catch (error) {
    const refusal = options.refusal?.(error);
    if (refusal !== undefined) throw refusal;
    return messageOf(error);
  } finally {
    await admin.disconnect();
  }
}
