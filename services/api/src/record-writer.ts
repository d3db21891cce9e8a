/** Writes records of one compacted topic, one order after the other, whichever replica takes them. */
import { messageOf } from "@sluice/errors";
import type { TopicLayout } from "@sluice/records";
import { CommitFailed, type Broker, type Clock } from "@sluice/runtime";
import type { Follower } from "./follower.ts";
import { Problem } from "./problem.ts";

export interface RecordWriterOptions {
  readonly broker: Broker;
  readonly clock: Clock;
  /** Of the topic. */
  readonly follower: Follower;
  readonly layout: TopicLayout;
  /** Without the prefix. */
  readonly topic: string;
  /** Begins the transactional ids, each with a partition after it. */
  readonly idPrefix: string;
  readonly partitionOf: (key: string) => number;
}

/** A record under the key that was ordered for. */
export interface Written {
  /** Null removes it. */
  readonly value: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What an order comes to: a record to write, if any, and the answer. */
export interface Decision<Answer> {
  readonly write: Written | null;
  readonly answer: Answer;
}

const visibleMs = 5000;
const triesMax = 20;
const waitMaxMs = 100;

export class RecordWriter {
  readonly #options: RecordWriterOptions;
  /** One order after the other: each is decided on what the one before has written. */
  #orders: Promise<unknown> = Promise.resolve();

  constructor(options: RecordWriterOptions) {
    this.#options = options;
  }

  /**
   * Decides and writes with nobody in between. All replicas write the records of a partition under one
   * transactional id. Who is about to write takes it over first and decides again on all that is there by then:
   * another one that had decided before can't write any more and has to decide anew itself.
   * @param decide looks at all that is written when it is called; called again after each take-over
   * @throws Problem 503, and what `decide` throws
   */
  order<Answer>(key: string, decide: () => Promise<Decision<Answer>>): Promise<Answer> {
    const done = this.#orders.then(() => this.#decide(key, decide));
    this.#orders = done.catch(() => undefined);
    return done;
  }

  async #decide<Answer>(key: string, decide: () => Promise<Decision<Answer>>): Promise<Answer> {
    // Most orders that write nothing need not take anything over to know it.
    const first = await decide();
    if (first.write === null) return first.answer;
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.#writeAlone(key, decide);
      } catch (error) {
        if (!(error instanceof CommitFailed)) throw error;
        if (!error.fenced || tries === triesMax) throw unavailable(error);
        await this.#wait();
      }
    }
  }

  async #writeAlone<Answer>(key: string, decide: () => Promise<Decision<Answer>>): Promise<Answer> {
    const { broker, follower, layout, idPrefix, partitionOf } = this.#options;
    const partition = partitionOf(key);
    const producer = await broker.transactionalProducer(`${layout.prefix}${idPrefix}-${partition}`);
    try {
      await producer.fence();
      const { write, answer } = await decide();
      if (write !== null) {
        const topic = layout.prefix + this.#options.topic;
        const value = write.value === null ? null : JSON.stringify(write.value);
        const record = { topic, partition, key, value, headers: write.headers ?? {} };
        const [written] = await producer.commit({
          group: `${layout.prefix}api`,
          records: [record],
          offsets: [],
        });
        // A commit is answered a moment before readers may see it; who asks after our answer has to see it.
        if (written !== undefined) await follower.passed(topic, partition, written.lastOffset, visibleMs);
      }
      return answer;
    } finally {
      await producer.close();
    }
  }

  /** Two that take it from each other must not do so in step for ever. */
  #wait(): Promise<void> {
    return new Promise((resolve) => this.#options.clock.after(Math.ceil(Math.random() * waitMaxMs), resolve));
  }
}

/** What was asked for may or may not have been written. */
export function unavailable(error: unknown): Problem {
  return new Problem(503, `Kafka did not answer: ${messageOf(error)}`, [], { "retry-after": "5" });
}
