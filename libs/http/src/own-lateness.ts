/** How often the event loop is looked at, in milliseconds. */
const lookMs = 20;
/** Timers are late by as much on an idle machine. */
const usualMs = 5;

/**
 * How late the event loop of this process was, summed up since its start, in milliseconds. What came in meanwhile is
 * seen late by as much: a host must not be taken for slow because the crawler is.
 */
export class OwnLateness {
  readonly #monotonicMs: () => number;
  readonly #timer: NodeJS.Timeout;
  #pastMs = 0;
  #lookAtMs: number;

  constructor(monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs;
    this.#lookAtMs = monotonicMs() + lookMs;
    this.#timer = setInterval(() => this.#look(), lookMs).unref();
  }

  get totalMs(): number {
    return this.#pastMs + this.#lateMs();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    this.#pastMs += this.#lateMs();
    this.#lookAtMs = this.#monotonicMs() + lookMs;
  }

  #lateMs(): number {
    const lateMs = this.#monotonicMs() - this.#lookAtMs;
    return lateMs > usualMs ? lateMs : 0;
  }
}
