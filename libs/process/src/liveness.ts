import type { Clock } from "@sluice/runtime";

/** What a loop shows of itself. */
export interface WatchedLoop {
  /** Turns so far. */
  readonly turns: number;
  /** Something waits that the next turn would do. */
  readonly isDue: boolean;
}

export interface LivenessOptions {
  readonly loop: WatchedLoop;
  readonly clock: Pick<Clock, "after">;
  /** Called once when it is found stuck. */
  readonly onStuck: (seconds: number) => void;
}

const lookMs = 1000;
const looksMax = 30;

/**
 * Whether the process moves. It does unless the loop had work and has not turned for 30 seconds, seen by looks
 * of the same event loop: a process that was stopped and goes on, or a machine that slept, has made no looks
 * meanwhile. A loop that waits has no work: for the broker, for a long restore, for a slow call.
 */
export class Liveness {
  readonly #options: LivenessOptions;
  #turns = -1;
  /** Looks in a row that found work and no turn since the look before. */
  #idle = 0;
  #cancel: (() => void) | null = null;

  constructor(options: LivenessOptions) {
    this.#options = options;
  }

  get alive(): boolean {
    return this.#idle < looksMax;
  }

  start(): void {
    this.#cancel = this.#options.clock.after(lookMs, () => {
      this.#look();
      this.start();
    });
  }

  stop(): void {
    this.#cancel?.();
  }

  #look(): void {
    const { turns, isDue } = this.#options.loop;
    this.#idle = isDue && turns === this.#turns ? this.#idle + 1 : 0;
    this.#turns = turns;
    if (this.#idle === looksMax) this.#options.onStuck((looksMax * lookMs) / 1000);
  }
}
