/** How many partitions are paused by each reason, and for how long they have been, added up. */
export class PauseTimes {
  readonly #monotonicMs: () => number;
  readonly #reasons = new Map<string, { partitions: number; sinceMs: number; totalMs: number }>();

  constructor(monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs;
  }

  /** One partition more, or one less. */
  change(reason: string, by: 1 | -1): void {
    const nowMs = this.#monotonicMs();
    const known = this.#reasons.get(reason) ?? { partitions: 0, sinceMs: nowMs, totalMs: 0 };
    known.totalMs += known.partitions * (nowMs - known.sinceMs);
    known.sinceMs = nowMs;
    known.partitions += by;
    this.#reasons.set(reason, known);
  }

  /** Milliseconds by reason, times the partitions that were paused meanwhile. */
  totals(): ReadonlyMap<string, number> {
    const nowMs = this.#monotonicMs();
    return new Map(
      [...this.#reasons].map(([reason, { partitions, sinceMs, totalMs }]) => [
        reason,
        totalMs + partitions * (nowMs - sinceMs),
      ]),
    );
  }
}
