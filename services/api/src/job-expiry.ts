/** Removes jobs that ended long ago. Every replica does it, each removal by an order that looks again. */
import type { Clock } from "@sluice/runtime";
import { messageOf } from "@sluice/errors";
import type { JobBook } from "./job-book.ts";
import type { JobDesk } from "./job-desk.ts";
import { Problem } from "./problem.ts";

export interface JobExpiryOptions {
  readonly desk: JobDesk;
  readonly book: JobBook;
  readonly clock: Clock;
  /** How long a job is kept after its end. */
  readonly keptMs: number;
  readonly onRemoved: (id: string) => void;
  readonly log: (event: string, fields: Readonly<Record<string, unknown>>) => void;
}

/** Longest time from the end of what a job is kept for to its removal. */
const lookEveryMs = 60_000;
/** Jobs that one look removes: the next one goes on. */
const atOnceMax = 100;

export class JobExpiry {
  readonly #options: JobExpiryOptions;
  #cancel: (() => void) | null = null;
  #looking: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: JobExpiryOptions) {
    this.#options = options;
  }

  start(): void {
    const { clock, keptMs } = this.#options;
    this.#cancel = clock.after(Math.min(lookEveryMs, Math.ceil(keptMs / 10)), () => {
      this.#looking = this.#look().finally(() => {
        if (!this.#closed) this.start();
      });
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancel?.();
    await this.#looking;
  }

  async #look(): Promise<void> {
    const { book, clock, desk, keptMs, log, onRemoved } = this.#options;
    const endedBeforeMs = clock.nowMs() - keptMs;
    for (const id of book.endedBefore(endedBeforeMs, atOnceMax)) {
      if (this.#closed) return;
      try {
        await desk.remove(id, endedBeforeMs);
        onRemoved(id);
      } catch (error) {
        // Another replica was faster, or the job runs again.
        if (error instanceof Problem && error.status < 500) continue;
        log("job_not_removed", { job: id, message: messageOf(error) });
        return;
      }
    }
  }
}
