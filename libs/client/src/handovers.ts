/** Results on their way from the runtime to an iterator: a few wait, and each is answered for once. */
import type { Result } from "@sluice/records";
import type { Handled } from "./result-step.ts";

interface Waiting {
  readonly result: Result;
  readonly settle: (handled: Handled) => void;
}

export class Handovers {
  #waiting: Waiting[] = [];
  /** Taken by the iterator and not answered for yet. */
  #taken: Waiting[] = [];
  #arrived: (() => void) | null = null;
  #ended = false;

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Resolves when the iterator has dealt with the result, or nobody will. */
  offer(result: Result, signal: AbortSignal): Promise<Handled> {
    return new Promise((settle) => {
      if (this.#ended || signal.aborted) return settle({ kind: "withdrawn" });
      const entry = { result, settle };
      this.#waiting.push(entry);
      signal.addEventListener("abort", () => this.#withdraw(entry), { once: true });
      this.#arrived?.();
    });
  }

  /** The next ones, at most so many. What was taken before has to be acknowledged. */
  take(max: number): readonly Result[] {
    this.#taken = this.#waiting.splice(0, max);
    return this.#taken.map(({ result }) => result);
  }

  /** What was taken is dealt with. */
  acknowledge(): void {
    for (const { settle } of this.#taken) settle({ kind: "handled" });
    this.#taken = [];
  }

  /** Resolves when there may be more than before, or never will be. */
  arrival(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#ended) return resolve();
      this.#arrived = () => {
        this.#arrived = null;
        resolve();
      };
    });
  }

  /** Nobody takes any more: what was not dealt with comes again to the next reader. */
  end(): void {
    this.#ended = true;
    for (const { settle } of [...this.#taken, ...this.#waiting]) settle({ kind: "withdrawn" });
    [this.#taken, this.#waiting] = [[], []];
    this.#arrived?.();
  }

  /** Its partition is another reader's now. */
  #withdraw(entry: Waiting): void {
    this.#waiting = this.#waiting.filter((each) => each !== entry);
    entry.settle({ kind: "withdrawn" });
  }
}
