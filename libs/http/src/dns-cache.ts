/** Answers of name resolution, kept for a while, at most so many. */

export interface HostAddresses {
  /** Every address of the host, as text. */
  readonly addresses: readonly string[];
  /** How long they hold by the name server's word; null where nothing says so, as with a hosts file. */
  readonly ttlMs: number | null;
}

/** Rejects with the resolver's own error and code. */
export type ResolveHost = (hostname: string) => Promise<HostAddresses>;

export interface DnsCacheOptions {
  readonly resolveHost: ResolveHost;
  /** How long an answer is used whose name server says nothing of it. */
  readonly ttlMs?: number;
  /** An answer is used at least so long: a TTL of 0 would cost a query a request. */
  readonly ttlMinMs?: number;
  /** And at most so long. */
  readonly ttlMaxMs?: number;
  /** How long a failure is used. */
  readonly failureTtlMs?: number;
  /** Past it the name asked for longest ago is forgotten, and costs a query when it comes again. */
  readonly entriesMax?: number;
  /** A clock that never goes back. */
  readonly monotonicMs: () => number;
}

/** Of one host: no site has more, and each may cost an attempt to connect. */
const addressesMax = 32;

interface Entry {
  readonly answer: Promise<HostAddresses>;
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
    this.#options = {
      ttlMs: 60_000,
      ttlMinMs: 5_000,
      ttlMaxMs: 600_000,
      failureTtlMs: 5_000,
      entriesMax: 10_000,
      ...options,
    };
  }

  get size(): number {
    return this.#entries.size;
  }

  get limit(): number {
    return this.#options.entriesMax;
  }

  async addresses(hostname: string): Promise<readonly string[]> {
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
    return (await entry.answer).addresses.slice(0, addressesMax);
  }

  #ask(hostname: string, nowMs: number): Entry {
    const { resolveHost, ttlMs, ttlMinMs, ttlMaxMs, failureTtlMs, monotonicMs } = this.#options;
    const keptMs = (saidMs: number | null): number =>
      saidMs === null ? ttlMs : Math.min(ttlMaxMs, Math.max(ttlMinMs, saidMs));
    // A query that never ends is shared no longer than an answer would be.
    const entry: Entry = { answer: resolveHost(hostname), expiresAtMs: nowMs + ttlMs };
    entry.answer.then(
      (found) => (entry.expiresAtMs = monotonicMs() + keptMs(found.ttlMs)),
      () => (entry.expiresAtMs = monotonicMs() + failureTtlMs),
    );
    return entry;
  }
}
