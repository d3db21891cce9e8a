import type { Broker, InputFigures } from "@sluice/runtime";

/** How often the ends of topics are asked for that are not fetched now. */
const everyMs = 10_000;

/**
 * How many records of each input are not finished. A fetch tells where the log ends; of a partition that is
 * paused nothing is fetched, so its end is asked for, and known from the next look on.
 */
export class InputLag {
  readonly #admin: Pick<Broker["admin"], "watermarks">;
  readonly #prefix: string;
  readonly #ends = new Map<string, readonly number[]>();
  #askedAtMs = Number.NEGATIVE_INFINITY;

  constructor(admin: Pick<Broker["admin"], "watermarks">, prefix: string) {
    this.#admin = admin;
    this.#prefix = prefix;
  }

  /** Records by topic. */
  look(inputs: readonly InputFigures[], monotonicMs: number): ReadonlyMap<string, number> {
    const paused = new Set(inputs.filter((input) => input.paused).map(({ topic }) => topic));
    if (paused.size > 0 && monotonicMs - this.#askedAtMs >= everyMs) {
      this.#askedAtMs = monotonicMs;
      for (const topic of paused) this.#ask(topic);
    }
    const lags = new Map<string, number>();
    for (const { topic, partition, position, end, unfinished } of inputs) {
      const asked = this.#ends.get(topic)?.[partition] ?? 0;
      const unread = Math.max(0, Math.max(end, asked) - position);
      lags.set(topic, (lags.get(topic) ?? 0) + unread + unfinished);
    }
    return lags;
  }

  #ask(topic: string): void {
    this.#admin.watermarks(this.#prefix + topic).then(
      (marks) =>
        this.#ends.set(
          topic,
          marks.map(({ high }) => high),
        ),
      // The broker does not answer: what was last seen stands.
      () => undefined,
    );
  }
}
