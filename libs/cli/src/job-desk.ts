/** A job in Kafka: its topics, what is known of it, and its record. */
import { SluiceError } from "@sluice/errors";
import { createTopics, driftText, topicDrift, untilPassed, type GroupBacklog } from "@sluice/process";
import { jobSchema, jobStatusSchema, partitionOf, topics, type Job, type TopicLayout } from "@sluice/records";
import type { Broker, Clock } from "@sluice/runtime";
import { hasEnded, planJob, type JobPlan, type KnownJob } from "./job-plan.ts";
import type { OutFolder } from "./out-folder.ts";
import { readCompacted } from "./read-compacted.ts";

export interface JobDeskOptions {
  readonly broker: Broker;
  readonly clock: Clock;
  readonly layout: TopicLayout;
  readonly folder: OutFolder;
  /** Of the result-sink. */
  readonly results: GroupBacklog;
}

export class JobDesk {
  readonly #options: JobDeskOptions;

  constructor(options: JobDeskOptions) {
    this.#options = options;
  }

  /**
   * Creates the topics of the job where they are missing, and finds out what the command means for it.
   * @throws SluiceError SLUICE_TOPIC_DRIFT where topics are not as the options have them
   */
  async plan(wanted: Job): Promise<JobPlan> {
    const { broker, clock, layout } = this.#options;
    const created = await createTopics(broker, layout);
    const drift = await topicDrift(broker, layout);
    if (drift.length > 0) {
      const lines = driftText(drift).replaceAll(/^/gm, "  ");
      throw new SluiceError(
        "SLUICE_TOPIC_DRIFT",
        `The topics ${layout.prefix}* are not as --partitions, --retention, the settings and the table of topics have them:\n${lines}`,
      );
    }
    const isNew = created.includes(layout.prefix + topics.jobs.name);
    return planJob(
      wanted,
      isNew ? { job: null, status: null, written: true } : await this.#known(wanted.id),
      clock.nowMs(),
    );
  }

  async submit(job: Job): Promise<void> {
    const { broker, layout } = this.#options;
    const producer = await broker.producer();
    try {
      const partition = partitionOf(job.id, layout.partitions);
      await producer.send([
        { topic: layout.prefix + topics.jobs.name, partition, key: job.id, value: JSON.stringify(job) },
      ]);
    } finally {
      await producer.close();
    }
  }

  async #known(id: string): Promise<KnownJob> {
    const { broker, clock, layout, folder, results } = this.#options;
    const at = { prefix: layout.prefix, partition: partitionOf(id, layout.partitions), key: id };
    const [record, said] = await Promise.all(
      [topics.jobs, topics.counters].map(({ name }) =>
        untilPassed(clock, () => readCompacted(broker, { ...at, topic: name })),
      ),
    );
    const job = record === null ? null : jobSchema.parse(record);
    const status = said === null ? null : jobStatusSchema.parse(said);
    if (job === null || status === null || !hasEnded(job, status)) return { job, status, written: false };
    const written =
      folder.hasFinished({ job: job.id, prefix: layout.prefix, run: status.run }) ||
      (await results.left(await results.ends())) === 0;
    return { job, status, written };
  }
}
