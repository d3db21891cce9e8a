import type { InputRecord } from "@sluice/topology";
import type { Kernel } from "./kernel.ts";

/**
 * Makes what tasks have committed outlive the process, one task at a time: each at least once in `checkpointMs`,
 * and never all of them at once, since the loop waits for the disk meanwhile.
 */
export class Checkpoints<State, Rec extends InputRecord, Call, Outcome> {
  readonly #kernel: Kernel<State, Rec, Call, Outcome>;
  /** Epochs of tasks, with the monotonic time of the last one or, where there was none, of the first look. */
  readonly #lastMs = new Map<number, number>();
  #cancel: (() => void) | null = null;

  constructor(kernel: Kernel<State, Rec, Call, Outcome>) {
    this.#kernel = kernel;
  }

  start(): void {
    const { clock, limits, options, tasks } = this.#kernel;
    if (options.changelog === null) return;
    // One look more in the time than there are tasks: a look may come late.
    const delayMs = Math.floor(limits.checkpointMs / (tasks.size + 2));
    this.#cancel = clock.after(Math.max(1, delayMs), () => this.#kernel.loop.enqueue({ kind: "checkpoint" }));
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
  }

  /** The time for one has come: the task that was left longest has its turn. */
  next(): void {
    const { clock, dead, heartbeats, tasks } = this.#kernel;
    if (dead) return;
    const nowMs = clock.monotonicMs();
    const running = [...tasks.values()].filter(({ phase }) => phase === "running");
    const epochs = new Set(running.map(({ epoch }) => epoch));
    for (const epoch of this.#lastMs.keys()) if (!epochs.has(epoch)) this.#lastMs.delete(epoch);
    let chosen: (typeof running)[number] | null = null;
    let oldestMs = Number.POSITIVE_INFINITY;
    for (const task of running) {
      const lastMs = this.#lastMs.get(task.epoch) ?? Number.NEGATIVE_INFINITY;
      if (lastMs >= oldestMs) continue;
      oldestMs = lastMs;
      chosen = task;
    }
    if (chosen !== null) {
      chosen.store.checkpoint(heartbeats.heardAtEpochMs);
      this.#lastMs.set(chosen.epoch, nowMs);
    }
    this.start();
  }
}
