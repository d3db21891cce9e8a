import { kafkajsBroker } from "@sluice/broker";
import { prepareTopics } from "@sluice/process";
import {
  jobSchema,
  defaultLayout,
  partitionOf,
  topics,
  type CrawlEvent,
  type Job,
  type JobInput,
  type JobStatus,
  type PolitenessKey,
  type Result,
  type TopicLayout,
} from "@sluice/records";
import type { Broker, OutRecord, Producer, Tail, Written } from "@sluice/runtime";

/** Reads what a user can read, with read_committed: results, events and the status of jobs. */
export class Observer {
  readonly broker: Broker;
  readonly layout: TopicLayout;
  readonly results: Result[] = [];
  /** Partition of each result, in the order of `results`. */
  readonly resultPartitions: number[] = [];
  readonly events: CrawlEvent[] = [];
  /** Results read so far. */
  resultCount = 0;
  readonly #statuses = new Map<string, JobStatus>();
  readonly #waiters = new Set<() => void>();
  #producer: Producer | null = null;
  readonly #tails: Tail[] = [];

  private constructor(broker: Broker, layout: TopicLayout) {
    this.broker = broker;
    this.layout = layout;
  }

  /** With `keeps` false results and events are counted and forgotten, for runs of hours. */
  static async open(
    brokers: readonly string[],
    prefix: string,
    partitions: number,
    keeps = true,
    politenessKey: PolitenessKey = "host",
  ): Promise<Observer> {
    const layout: TopicLayout = { ...defaultLayout, prefix, partitions, politenessKey };
    const broker = kafkajsBroker({ brokers: [...brokers], clientId: `${prefix}observer` });
    await prepareTopics(broker, layout, true);
    const observer = new Observer(broker, layout);
    observer.#producer = await broker.producer();
    await observer.#tail(topics.results.name, (partition, value) => {
      observer.resultCount += 1;
      if (!keeps) return;
      observer.results.push(value as Result);
      observer.resultPartitions.push(partition);
    });
    if (keeps)
      await observer.#tail(topics.events.name, (_, value) => observer.events.push(value as CrawlEvent));
    await observer.#tail(topics.counters.name, (_, value) => {
      const status = value as JobStatus | { kind: "task" };
      if (status.kind === "job") observer.#statuses.set(status.job, status);
    });
    return observer;
  }

  /** Writes a job record, as a user would. */
  async submit(input: JobInput): Promise<Job> {
    const job = jobSchema.parse(input);
    await this.#producer?.send([
      {
        topic: this.layout.prefix + topics.jobs.name,
        partition: partitionOf(job.id, this.layout.partitions),
        key: job.id,
        value: JSON.stringify(job),
      },
    ]);
    return job;
  }

  /** Writes records as they are; tells the last offset in each partition. */
  async produce(records: readonly OutRecord[]): Promise<readonly Written[]> {
    return (await this.#producer?.send(records)) ?? [];
  }

  status(job: string): JobStatus | undefined {
    return this.#statuses.get(job);
  }

  /** Resolves when the condition holds; it is looked at whenever something was read. */
  async until(what: string, condition: () => boolean, withinMs = 240_000): Promise<void> {
    if (condition()) return;
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiters.delete(look);
        reject(
          new Error(
            `waited ${withinMs} ms in vain for: ${what}; statuses ${JSON.stringify([...this.#statuses.values()])}`,
          ),
        );
      }, withinMs);
      const look = (): void => {
        if (!condition()) return;
        clearTimeout(timer);
        this.#waiters.delete(look);
        resolve();
      };
      this.#waiters.add(look);
    });
  }

  /** The job's last status, when this run of it, or a later one, has ended. */
  async ended(job: string, withinMs?: number, run = 1): Promise<JobStatus> {
    const hasEnded = (): boolean => {
      const status = this.status(job);
      return status !== undefined && status.run >= run && status.state === "ended";
    };
    await this.until(`the end of ${job}`, hasEnded, withinMs);
    const status = this.status(job);
    if (status === undefined) throw new Error(`no status of ${job}`);
    return status;
  }

  async close(): Promise<void> {
    for (const tail of this.#tails) await tail.close();
    await this.#producer?.close();
    await this.broker.close();
  }

  async #tail(topic: string, take: (partition: number, value: unknown) => void): Promise<void> {
    const from = Array.from({ length: this.layout.partitions }, (_, partition) => ({
      topic: this.layout.prefix + topic,
      partition,
      offset: "start" as const,
    }));
    this.#tails.push(
      await this.broker.tail({
        from,
        onBatch: (batch) => {
          for (const { value, headers } of batch.records) {
            // What a test garbles on purpose says so.
            if (value !== null && headers["poison"] === undefined)
              take(batch.partition, JSON.parse(value.toString("utf8")));
          }
          for (const look of this.#waiters) look();
        },
        onFailed: (error, restarting) => {
          if (!restarting) throw error;
        },
      }),
    );
  }
}
