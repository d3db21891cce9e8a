/** The figures of one run of a job, from the records of `crawl.counters`. */
import { openOf, type Counters, type JobStatus, type TaskCounters, type UrlCounts } from "@sluice/records";

export const noFigures: UrlCounts = { admitted: 0, done: 0, failed: 0, skipped: 0, waiting: 0, inFlight: 0 };

/**
 * Adds up what the frontier tasks say; what the job's owner says may be older while the job runs, and is
 * final once it has ended.
 */
export class JobFigures {
  readonly #job: string;
  readonly #run: number;
  readonly #tasks = new Map<number, TaskCounters>();
  #status: JobStatus | null = null;

  constructor(job: string, run: number) {
    this.#job = job;
    this.#run = run;
  }

  get status(): JobStatus | null {
    return this.#status;
  }

  get ended(): boolean {
    return this.#status?.state === "ended";
  }

  fold(counters: Counters): void {
    if (counters.job !== this.#job || counters.run !== this.#run) return;
    if (counters.kind === "task") this.#tasks.set(counters.task, counters);
    else if (counters.kind === "job") this.#status = counters;
  }

  figures(): UrlCounts {
    if (this.#status !== null && this.ended) return this.#status;
    const sum = { ...noFigures };
    for (const { tally, inFlight } of this.#tasks.values()) {
      sum.admitted += tally.admitted;
      sum.done += tally.done;
      sum.failed += tally.failed;
      sum.skipped += tally.skipped;
      sum.inFlight += inFlight;
      sum.waiting += openOf(tally) - inFlight;
    }
    return sum;
  }
}
