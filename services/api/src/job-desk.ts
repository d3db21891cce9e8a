/** Takes orders for jobs and writes them into `crawl.jobs`. Holds nothing that is not in the topics. */
import { randomBytes } from "node:crypto";
import { messageOf } from "@sluice/errors";
import { defaultJob, defaultJobId, partitionOf, topics, type Job, type TopicLayout } from "@sluice/records";
import type { Clock, Producer } from "@sluice/runtime";
import type { Follower } from "./follower.ts";
import { usedKeysHeader, type JobBook, type JobEntry, type UsedKey } from "./job-book.ts";
import { hasEnded, linksOf, type Submitted } from "./job-view.ts";
import { fieldProblem, Problem } from "./problem.ts";
import { digestOf, jobRecord, type Submission } from "./submission.ts";

export interface JobDeskOptions {
  readonly book: JobBook;
  /** Of `crawl.jobs` and `crawl.counters`. */
  readonly follower: Follower;
  readonly producer: Producer;
  readonly clock: Clock;
  readonly layout: TopicLayout;
}

/** How long an answer waits for what is in the topics. */
const freshMs = 5000;
/** Idempotency keys kept a job; older ones are forgotten. */
const usedKeysMax = 8;

export class JobDesk {
  readonly #options: JobDeskOptions;
  /** One order after the other: each is decided on what the one before has written. */
  #orders: Promise<unknown> = Promise.resolve();

  constructor(options: JobDeskOptions) {
    this.#options = options;
  }

  /**
   * Resolves when all that any replica had written when it was called is in the book.
   * @throws Problem 503
   */
  async refresh(): Promise<void> {
    if (await this.#caughtUp(topics.jobs.name)) return;
    throw new Problem(503, "The topic of jobs could not be read to its end in time.", [], {
      "retry-after": "5",
    });
  }

  /** The job as it is now. @throws Problem 404 */
  async find(id: string): Promise<JobEntry> {
    await this.refresh();
    return this.#entry(id);
  }

  /** `isNew` is false where an earlier answer is given again. @throws Problem 409, 422 */
  submit(
    submission: Submission,
    key: string | null,
  ): Promise<{ readonly isNew: boolean; readonly answer: Submitted }> {
    return this.#inOrder(async () => {
      const { book, clock } = this.#options;
      await this.refresh();
      const keyDigest = key === null ? null : digestOf(key);
      const body = digestOf(submission);
      const before = keyDigest === null ? undefined : book.used(keyDigest);
      if (before !== undefined) {
        if (before.use.body !== body)
          throw fieldProblem(422, "Idempotency-Key", "was used with another body");
        return { isNew: false, answer: answerFor(before.job, before.use) };
      }
      // From the key, so that two replicas that get it at once make one job of it.
      const id = submission.id ?? `job-${keyDigest?.slice(0, 20) ?? randomBytes(10).toString("hex")}`;
      const use = { run: await this.#nextRun(id), submittedAtMs: clock.nowMs() };
      const used = keyDigest === null ? [] : [{ key: keyDigest, body, ...use }];
      await this.#write({
        job: jobRecord(submission, id, use.run, use.submittedAtMs),
        usedKeys: [...(book.entry(id)?.usedKeys ?? []), ...used].slice(-usedKeysMax),
      });
      return { isNew: true, answer: answerFor(id, use) };
    });
  }

  /** Says what is wanted of the job from now on. @throws Problem 404, 409 */
  want(id: string, desired: Job["desired"]): Promise<JobEntry> {
    return this.#inOrder(async () => {
      await this.refresh();
      const { job, usedKeys } = this.#entry(id);
      if (job.desired === desired) return { job, usedKeys };
      if (hasEnded(job, this.#options.book.status(id))) throw new Problem(409, `The job ${id} has ended.`);
      if (job.desired === "cancelled")
        throw new Problem(409, `The job ${id} was cancelled: it can only end, and then be submitted again.`);
      const entry = { job: { ...job, desired }, usedKeys };
      await this.#write(entry);
      return entry;
    });
  }

  #entry(id: string): JobEntry {
    const known = this.#options.book.entry(id);
    if (known !== undefined) return known;
    if (id === defaultJobId) return { job: defaultJob(), usedKeys: [] };
    throw new Problem(404, `There is no job ${id}.`);
  }

  /** Of a job that is new or has ended. */
  async #nextRun(id: string): Promise<number> {
    const { book, layout } = this.#options;
    const known = book.entry(id);
    if (known !== undefined && !hasEnded(known.job, book.status(id))) {
      // Its end may be in the topic and not yet here; who has seen it elsewhere may count on it.
      await this.#caughtUp(topics.counters.name, partitionOf(id, layout.partitions));
      if (!hasEnded(known.job, book.status(id)))
        throw fieldProblem(
          409,
          "id",
          `the job ${id} has not ended; pause, resume or cancel it, or choose another id`,
        );
    }
    return Math.max(known?.job.run ?? 0, book.status(id)?.run ?? 0) + 1;
  }

  async #write({
    job,
    usedKeys,
  }: {
    readonly job: Job;
    readonly usedKeys: readonly UsedKey[];
  }): Promise<void> {
    const { producer, layout } = this.#options;
    const record = {
      topic: layout.prefix + topics.jobs.name,
      partition: partitionOf(job.id, layout.partitions),
      key: job.id,
      value: JSON.stringify(job),
      headers: usedKeys.length === 0 ? {} : { [usedKeysHeader]: JSON.stringify(usedKeys) },
    };
    await producer.send([record]).catch(unavailable);
  }

  #caughtUp(topic: string, partition?: number): Promise<boolean> {
    const { follower, layout } = this.#options;
    return follower.caughtUp(layout.prefix + topic, freshMs, partition).catch(unavailable);
  }

  #inOrder<T>(order: () => Promise<T>): Promise<T> {
    const done = this.#orders.then(order);
    this.#orders = done.catch(() => undefined);
    return done;
  }
}

/** What was asked for may or may not have been written: with an Idempotency-Key it can be asked for again. */
function unavailable(error: unknown): never {
  throw new Problem(503, `Kafka did not answer: ${messageOf(error)}`, [], { "retry-after": "5" });
}

function answerFor(id: string, { run, submittedAtMs }: { run: number; submittedAtMs: number }): Submitted {
  return { id, run, submittedAtMs, links: linksOf(id) };
}
