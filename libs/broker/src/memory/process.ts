/** The operating system process of one simulated client: it runs, is frozen (SIGSTOP) or is killed. */
import type { CancelTimer, SimClock } from "./clock.ts";

export class SimProcess implements SimClock {
  readonly name: string;
  readonly #clock: SimClock;
  #state: "running" | "frozen" | "killed" = "running";
  #held: (() => void)[] = [];

  constructor(name: string, clock: SimClock) {
    this.name = name;
    this.#clock = clock;
  }

  get state(): "running" | "frozen" | "killed" {
    return this.#state;
  }

  /** Goes on while the process is frozen, as the wall clock does. */
  nowMs(): number {
    return this.#clock.nowMs();
  }

  /** A timer that falls due in a frozen process fires when it wakes; in a killed one it never fires. */
  setTimer(atMs: number, fire: () => void): CancelTimer {
    let cancelled = false;
    const cancel = this.#clock.setTimer(atMs, () => {
      this.run(() => {
        if (!cancelled) fire();
      });
    });
    return () => {
      cancelled = true;
      cancel();
    };
  }

  /** Runs what happens to the process: now, after it wakes, or never. */
  run(task: () => void): void {
    if (this.#state === "killed") return;
    if (this.#state === "frozen" || this.#held.length > 0) this.#held.push(task);
    else task();
  }

  kill(): void {
    this.#state = "killed";
    this.#held = [];
  }

  freeze(): void {
    if (this.#state === "running") this.#state = "frozen";
  }

  /** What was held happens first, in its order and one by one, before anything that arrives later. */
  thaw(): void {
    if (this.#state !== "frozen") return;
    this.#state = "running";
    this.#wake();
  }

  #wake(): void {
    if (this.#held.length === 0) return;
    this.#clock.setTimer(this.#clock.nowMs(), () => {
      if (this.#state !== "running") return;
      const [task] = this.#held;
      task?.();
      this.#held.shift();
      this.#wake();
    });
  }
}
