import type { Result } from "@sluice/records";

/** What of a run's results is still to come; a result of anything else, or one that came before, changes nothing. */
export class Awaited {
  readonly #left = new Set<string>();

  /** Every URL of `urls` is to have a result in that run of that job. */
  add(job: string, run: number, urls: Iterable<string>): void {
    for (const url of urls) this.#left.add(keyOf({ job, run, url }));
  }

  came(result: Pick<Result, "job" | "run" | "url">): void {
    this.#left.delete(keyOf(result));
  }

  get count(): number {
    return this.#left.size;
  }
}

const keyOf = ({ job, run, url }: Pick<Result, "job" | "run" | "url">): string => `${job} ${run} ${url}`;
