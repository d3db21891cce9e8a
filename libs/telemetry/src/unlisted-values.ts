/** A value that no label lists, and so counts as `other`. */
export interface UnlistedValue {
  readonly metric: string;
  readonly label: string;
  readonly value: string;
  /** How often since it was told last, this time included. */
  readonly count: number;
}

/** Values remembered. */
const valuesMax = 100;
const valueCharsMax = 100;
/** One is told again after this time. */
const againMs = 60_000;

/** Tells of values that no label lists, each once a minute: nobody has thought of them yet. */
export class UnlistedValues {
  readonly #tell: (value: UnlistedValue) => void;
  readonly #monotonicMs: () => number;
  readonly #told = new Map<string, { atMs: number; since: number }>();

  constructor(tell: (value: UnlistedValue) => void, monotonicMs: () => number) {
    this.#tell = tell;
    this.#monotonicMs = monotonicMs;
  }

  note(metric: string, label: string, found: string): void {
    const value = found.slice(0, valueCharsMax);
    const key = `${metric} ${label} ${value}`;
    const nowMs = this.#monotonicMs();
    const before = this.#told.get(key);
    if (before !== undefined && nowMs - before.atMs < againMs) {
      before.since += 1;
      return;
    }
    this.#told.delete(key);
    this.#told.set(key, { atMs: nowMs, since: 0 });
    const [oldest] = this.#told.keys();
    if (oldest !== undefined && this.#told.size > valuesMax) this.#told.delete(oldest);
    this.#tell({ metric, label, value, count: (before?.since ?? 0) + 1 });
  }
}
