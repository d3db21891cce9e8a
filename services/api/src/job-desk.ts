/** Takes orders for jobs and writes them into `crawl.jobs`. Holds nothing that is not in the topics. */
import { randomBytes } from "node:crypto";
import {
  defaultJob,
  defaultJobId,
  partitionOf,
  topics,
  type FailedCategory,
  type Job,
  type TopicLayout,
} from "@sluice/records";
import type { Broker, Clock } from "@sluice/runtime";
import type { Follower } from "./follower.ts";
import {
  headersOf,
  lastRunHeader,
  type JobBook,
  type JobEntry,
  type ResultsFrom,
  type UsedKey,
} from "./job-book.ts";
import { hasEnded, linksOf, type Submitted } from "./job-view.ts";
import { fieldProblem, Problem } from "./problem.ts";
import { RecordWriter, unavailable, type Written } from "./record-writer.ts";
import { digestOf, jobRecord, type Submission } from "./submission.ts";

export interface JobDeskOptions {
  readonly book: JobBook;
  /** Of `crawl.jobs` and `crawl.counters`. */
  readonly follower: Follower;
  readonly broker: Broker;
  readonly clock: Clock;
  readonly layout: TopicLayout;
}

export interface SubmitAnswer {
  readonly isNew: boolean;
  readonly answer: Submitted;
}

/** How long an answer waits for what is in the topics. */
const freshMs = 5000;
/** Idempotency keys kept a job; older ones are forgotten. */
const usedKeysMax = 8;

export class JobDesk {
  readonly #options: JobDeskOptions;
  readonly #writer: RecordWriter;

  constructor(options: JobDeskOptions) {
    this.#options = options;
    this.#writer = new RecordWriter({
      ...options,
      topic: topics.jobs.name,
      idPrefix: "api-jobs",
      partitionOf: (id) => partitionOf(id, options.layout.partitions),
    });
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

  /**
   * Of the same submission with the same key in the same moment at two replicas, one is new. `isNew` is false
   * where an earlier answer is given again. @throws Problem 409, 422
   */
  submit(submission: Submission, key: string | null): Promise<SubmitAnswer> {
    const keyDigest = key === null ? null : digestOf(key);
    const body = digestOf(submission);
    // From the key, so that replicas that get it at once mean the same job.
    const id = submission.id ?? `job-${keyDigest?.slice(0, 20) ?? randomBytes(10).toString("hex")}`;
    return this.#writer.order<SubmitAnswer>(id, async () => {
      const { book, clock } = this.#options;
      await this.refresh();
      const before = keyDigest === null ? undefined : book.used(keyDigest);
      if (before !== undefined) {
        if (before.use.body !== body)
          throw fieldProblem(422, "Idempotency-Key", "was used with another body");
        return { write: null, answer: { isNew: false, answer: answerFor(before.job, before.use) } };
      }
      const use = { run: await this.#nextRun(id), submittedAtMs: clock.nowMs() };
      const used: readonly UsedKey[] = keyDigest === null ? [] : [{ key: keyDigest, body, ...use }];
      const write: JobEntry = {
        job: jobRecord(submission, id, use.run, use.submittedAtMs),
        usedKeys: [...(book.entry(id)?.usedKeys ?? []), ...used].slice(-usedKeysMax),
        resultsFrom: await this.#resultsFrom(use.run),
      };
      return { write: written(write), answer: { isNew: true, answer: answerFor(id, use) } };
    });
  }

  /** Says what is wanted of the job from now on. @throws Problem 404, 409 */
  want(id: string, desired: Job["desired"]): Promise<JobEntry> {
    return this.#writer.order(id, async () => {
      await this.refresh();
      const known = this.#entry(id);
      const { job } = known;
      if (job.desired === desired) return { write: null, answer: known };
      if (hasEnded(job, this.#options.book.status(id))) throw new Problem(409, `The job ${id} has ended.`);
      if (job.desired === "cancelled")
        throw new Problem(409, `The job ${id} was cancelled: it can only end, and then be submitted again.`);
      const write = { ...known, job: { ...job, desired } };
      return { write: written(write), answer: write };
    });
  }

  /**
   * Asks for failed URLs of these categories again. A job that has ended goes on as its next run, with these URLs and
   * what they lead to. @throws Problem 404, 409
   */
  retry(id: string, categories: readonly FailedCategory[]): Promise<JobEntry> {
    return this.#writer.order(id, async () => {
      const { book, clock, layout } = this.#options;
      await this.refresh();
      await this.#caughtUp(topics.counters.name, partitionOf(id, layout.partitions));
      const known = this.#entry(id);
      const status = book.status(id);
      const atMs = clock.nowMs();
      const ended = hasEnded(known.job, status);
      if (known.job.desired === "cancelled" && !ended)
        throw new Problem(
          409,
          `The job ${id} was cancelled: failed URLs can be asked for when it has ended.`,
        );
      if (ended && categories.every((category) => (status?.failedBy?.[category] ?? 0) === 0))
        throw new Problem(409, `The job ${id} has ended, and nothing of it has failed by these categories.`);
      const before = ended ? {} : (known.job.retry?.asked ?? {});
      const asked = { ...before };
      for (const category of categories)
        asked[category] = { times: (before[category]?.times ?? 0) + 1, atMs };
      const { job } = known;
      const run = ended ? Math.max(job.run, status?.run ?? 0) : null;
      const write: JobEntry =
        run === null
          ? { ...known, job: { ...job, retry: { asked, continues: job.retry?.continues ?? null } } }
          : {
              ...known,
              job: {
                ...job,
                run: run + 1,
                desired: "running",
                retry: { asked, continues: run },
                submittedAtMs: atMs,
              },
              resultsFrom: await this.#resultsFrom(run + 1),
            };
      return { write: written(write), answer: write };
    });
  }

  /**
   * Removes a job that has ended: its record here, and with it all that services keep of it. Its results stay.
   * @param endedBeforeMs and only if it ended before this instant
   * @throws Problem 404, 409
   */
  remove(id: string, endedBeforeMs = Infinity): Promise<void> {
    return this.#writer.order(id, async () => {
      const { book, layout } = this.#options;
      await this.refresh();
      await this.#caughtUp(topics.counters.name, partitionOf(id, layout.partitions));
      const known = book.entry(id);
      if (known === undefined) throw new Problem(404, `There is no record of a job ${id}.`);
      const status = book.status(id);
      if (!hasEnded(known.job, status))
        throw new Problem(409, `The job ${id} has not ended: cancel it, and remove it then.`);
      if ((status?.endedAtMs ?? 0) > endedBeforeMs)
        throw new Problem(409, `The job ${id} was crawled again since.`);
      // What is still under way of its runs, and a service that has not seen it go, must not take the next job of the id for it.
      const run = Math.max(known.job.run, status?.run ?? 0);
      return { write: { value: null, headers: { [lastRunHeader]: String(run) } }, answer: undefined };
    });
  }

  #entry(id: string): JobEntry {
    const known = this.#options.book.entry(id);
    if (known !== undefined) return known;
    if (id === defaultJobId) return { job: defaultJob(), usedKeys: [], resultsFrom: null };
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
    return Math.max(known?.job.run ?? 0, book.status(id)?.run ?? 0, book.lastRun(id)) + 1;
  }

  /** The run's record is written after this was read, and its results after that record. */
  async #resultsFrom(run: number): Promise<ResultsFrom> {
    const { broker, layout } = this.#options;
    const marks = await broker.admin
      .watermarks(layout.prefix + topics.results.name)
      .catch((error: unknown) => Promise.reject(unavailable(error)));
    return { run, offsets: marks.map(({ high }) => high) };
  }

  #caughtUp(topic: string, partition?: number): Promise<boolean> {
    const { follower, layout } = this.#options;
    return follower
      .caughtUp(layout.prefix + topic, freshMs, partition)
      .catch((error: unknown) => Promise.reject(unavailable(error)));
  }
}

const written = (entry: JobEntry): Written => ({ value: entry.job, headers: headersOf(entry) });

function answerFor(id: string, { run, submittedAtMs }: { run: number; submittedAtMs: number }): Submitted {
  return { id, run, submittedAtMs, links: linksOf(id) };
}
