/** How many streams may be open at once in this process. */
import { Problem } from "./problem.ts";

export class StreamSlots {
  readonly #max: number;
  #taken = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get taken(): number {
    return this.#taken;
  }

  /** Returns what gives it back, once. @throws Problem 429 */
  take(): () => void {
    if (this.#taken >= this.#max)
      throw new Problem(429, `${this.#max} streams are open already.`, [], { "retry-after": "5" });
    this.#taken += 1;
    let held = true;
    return () => {
      if (held) this.#taken -= 1;
      held = false;
    };
  }
}
