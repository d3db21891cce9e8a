/** How many streams may be open at once in this process, and what is counted of them. */
import type { Metrics } from "@sluice/telemetry";
import { Problem } from "./problem.ts";

export type StreamKind = "events" | "results";
/** `complete`: there is nothing more to come; `client`: it went away; `slow`: it read too slowly; `failed`: the source did. */
export type StreamEnd = "complete" | "client" | "slow" | "failed";

export class StreamSlots {
  readonly #max: number;
  readonly #metrics: Metrics;
  readonly #taken = { events: 0, results: 0 };
  #closing = false;

  constructor(max: number, metrics: Metrics) {
    this.#max = max;
    this.#metrics = metrics;
    metrics.set("sluice_api_open_streams_limit", max);
  }

  get taken(): number {
    return this.#taken.events + this.#taken.results;
  }

  /** From now on connections end because the process does. */
  close(): void {
    this.#closing = true;
  }

  /** Returns what gives it back, once; null where no stream came of it. @throws Problem 429 */
  take(kind: StreamKind): (end: StreamEnd | null) => void {
    if (this.taken >= this.#max)
      throw new Problem(429, `${this.#max} streams are open already.`, [], { "retry-after": "5" });
    this.#change(kind, 1);
    let held = true;
    return (end) => {
      if (!held) return;
      held = false;
      this.#change(kind, -1);
      if (end === null) return;
      const reason = end === "client" && this.#closing ? "shutdown" : end;
      this.#metrics.add("sluice_api_ended_streams_total", 1, { reason });
    };
  }

  #change(kind: StreamKind, by: 1 | -1): void {
    this.#taken[kind] += by;
    this.#metrics.set("sluice_api_open_streams", this.#taken[kind], { kind });
  }
}
