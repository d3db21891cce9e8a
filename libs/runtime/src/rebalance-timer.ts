/** Times a rebalance: from the first word of it until every task of this instance runs again. */
export class RebalanceTimer {
  #sinceMs: number | null = null;
  #joined = false;

  /** The group says that it rebalances, or we ask to be let in. */
  began(monotonicMs: number): void {
    this.#sinceMs ??= monotonicMs;
  }

  joined(monotonicMs: number): void {
    this.began(monotonicMs);
    this.#joined = true;
  }

  /** Every task runs. Returns how long it took, in milliseconds, once a rebalance; otherwise null. */
  ready(monotonicMs: number): number | null {
    if (this.#sinceMs === null || !this.#joined) return null;
    const tookMs = monotonicMs - this.#sinceMs;
    this.#sinceMs = null;
    this.#joined = false;
    return tookMs;
  }

  get pending(): boolean {
    return this.#joined;
  }
}
