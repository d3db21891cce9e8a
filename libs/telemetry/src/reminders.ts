/** Things remembered. */
const rememberedMax = 100;
/** One is told again after this time. */
const againMs = 60_000;

/** When something that comes again and again is to be told: at once, and then once a minute. */
export class Reminders {
  readonly #monotonicMs: () => number;
  readonly #told = new Map<string, { atMs: number; since: number }>();

  constructor(monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs;
  }

  /** How often it came since it was told last, this time included; null where it is not yet to be told. */
  note(key: string): number | null {
    const nowMs = this.#monotonicMs();
    const before = this.#told.get(key);
    if (before !== undefined && nowMs - before.atMs < againMs) {
      before.since += 1;
      return null;
    }
    this.#told.delete(key);
    this.#told.set(key, { atMs: nowMs, since: 0 });
    const [oldest] = this.#told.keys();
    if (oldest !== undefined && this.#told.size > rememberedMax) this.#told.delete(oldest);
    return (before?.since ?? 0) + 1;
  }
}
