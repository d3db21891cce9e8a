/** Answers of name resolution, kept for a while, at most so many. */

/** Every address of a host, as text; rejects with the resolver's own error and code. */
export type ResolveHost = (hostname: string) => Promise<readonly string[]>;

export interface DnsCacheOptions {
  readonly resolveHost: ResolveHost;
  /** How long an answer is used. */
  readonly ttlMs?: number;
  /** How long a failure is used. */
  readonly failureTtlMs?: number;
  /** Past it the name asked for longest ago is forgotten, and costs a query when it comes again. */
  readonly entriesMax?: number;
  /** A clock that never goes back. */
  readonly monotonicMs: () => number;
}

interface Entry {
  readonly answer: Promise<readonly string[]>;
  expiresAtMs: number;
}

/**
 * One query a name, however many ask at once. What it returns is not yet vetted: vetting is
 * done at each use, so that a cached answer never outlives a rule.
 */
export class DnsCache {
  readonly #options: Required<DnsCacheOptions>;
  readonly #entries = new Map<string, Entry>();

  constructor(options: DnsCacheOptions) {
    this.#options = { ttlMs: 60_000, failureTtlMs: 5_000, entriesMax: 10_000, ...options };
  }

  get size(): number {
    return this.#entries.size;
  }

  addresses(hostname: string): Promise<readonly string[]> {
    const nowMs = this.#options.monotonicMs();
    const known = this.#entries.get(hostname);
    this.#entries.delete(hostname);
    const entry = known !== undefined && nowMs < known.expiresAtMs ? known : this.#ask(hostname, nowMs);
    this.#entries.set(hostname, entry);
    if (this.#entries.size > this.#options.entriesMax) {
      for (const oldest of this.#entries.keys()) {
        this.#entries.delete(oldest);
        break;
      }
    }
    return entry.answer;
  }

  #ask(hostname: string, nowMs: number): Entry {
    const { resolveHost, ttlMs, failureTtlMs, monotonicMs } = this.#options;
    // A query that never ends is shared no longer than an answer would be.
    const entry: Entry = { answer: resolveHost(hostname), expiresAtMs: nowMs + ttlMs };
    entry.answer.then(
      () => (entry.expiresAtMs = monotonicMs() + ttlMs),
      () => (entry.expiresAtMs = monotonicMs() + failureTtlMs),
    );
    return entry;
  }
}
