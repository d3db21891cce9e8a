import type { Clock } from "./clock.ts";

/**
 * When the group last counted us in, as far as can be proven. Kafka's fencing can't stop a woken process from
 * asking a host, so no request starts unless this is recent.
 */
export class Heartbeats {
  readonly #clock: Clock;
  readonly #sessionTimeoutMs: number;
  /** The group counted us in at this instant or later: when the answered request was sent, at the earliest. */
  #heardAtMs = Number.NEGATIVE_INFINITY;
  /** When the last answer was handled; the next request was sent after that. */
  #answeredAtMs = Number.NEGATIVE_INFINITY;
  #claimedAtMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, sessionTimeoutMs: number) {
    this.#clock = clock;
    this.#sessionTimeoutMs = sessionTimeoutMs;
  }

  /** A request to join is about to be sent. */
  claimed(): void {
    this.#claimedAtMs = this.#clock.monotonicMs();
  }

  /** The group has taken us in: at the moment of our claim, at the earliest. */
  joined(): void {
    this.#heardAtMs = Math.max(this.#heardAtMs, this.#claimedAtMs);
    this.#answeredAtMs = this.#clock.monotonicMs();
  }

  /**
   * An answer may have waited for us while the process was stopped. Requests go one at a time, so this one
   * was sent after the answer before it was handled, and that is all that it proves.
   */
  answered(): void {
    this.#heardAtMs = Math.max(this.#heardAtMs, this.#answeredAtMs);
    this.#answeredAtMs = this.#clock.monotonicMs();
  }

  /** Since the group is known to have counted us in; infinite where it never did. */
  get ageMs(): number {
    return this.#clock.monotonicMs() - this.#heardAtMs;
  }

  /** Our partitions can't have been given to anyone else yet. */
  get lately(): boolean {
    return this.ageMs < this.#sessionTimeoutMs / 2;
  }

  /** When the group counted us in, in epoch milliseconds; 0 where it never did. */
  get heardAtEpochMs(): number {
    const agoMs = this.ageMs;
    return Number.isFinite(agoMs) ? Math.floor(this.#clock.nowMs() - agoMs) : 0;
  }
}
