/** Hands events on to open streams as they come: one reader of the topic, however many streams there are. */
import { topics } from "@sluice/records";
import type { Batch, Broker, BrokerRecord, Clock } from "@sluice/runtime";
import { Follower } from "./follower.ts";

export interface Subscriber {
  record(record: BrokerRecord): void;
  /** What came in the partition since can't be had any more, `to` included. */
  gap(from: number, to: number): void;
}

export interface EventHubOptions {
  readonly broker: Broker;
  readonly clock: Clock;
  readonly prefix: string;
  readonly onTrouble: (event: string, error: Error) => void;
}

interface Subscription {
  readonly partition: number;
  readonly subscribers: Set<Subscriber>;
}

export class EventHub {
  readonly topic: string;
  readonly follower: Follower;
  readonly #byJob = new Map<string, Subscription>();

  constructor({ broker, clock, prefix, onTrouble }: EventHubOptions) {
    this.topic = prefix + topics.events.name;
    this.follower = new Follower({
      broker,
      clock,
      topics: [this.topic],
      from: "high",
      onBatch: (batch) => this.#pass(batch),
      onGap: (_, partition, from, to) => this.#gap(partition, from, to),
      onTrouble,
    });
  }

  /** From this offset on a subscriber gets everything. */
  next(partition: number): number {
    return this.follower.next(this.topic, partition);
  }

  /** Returns what ends it. */
  subscribe(job: string, partition: number, subscriber: Subscriber): () => void {
    const subscription = this.#byJob.get(job) ?? { partition, subscribers: new Set() };
    this.#byJob.set(job, subscription);
    subscription.subscribers.add(subscriber);
    return () => {
      subscription.subscribers.delete(subscriber);
      if (subscription.subscribers.size === 0 && this.#byJob.get(job) === subscription)
        this.#byJob.delete(job);
    };
  }

  #pass({ partition, records }: Batch): void {
    if (this.#byJob.size === 0) return;
    for (const record of records) {
      const subscription = this.#byJob.get(record.key?.toString("utf8") ?? "");
      if (subscription?.partition !== partition) continue;
      for (const subscriber of subscription.subscribers) subscriber.record(record);
    }
  }

  #gap(partition: number, from: number, to: number): void {
    for (const subscription of this.#byJob.values()) {
      if (subscription.partition !== partition) continue;
      for (const subscriber of subscription.subscribers) subscriber.gap(from, to);
    }
  }
}
