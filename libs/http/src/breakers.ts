/** A circuit breaker for each domain around the client's fetch. */
import { DomainBreaker } from "./domain-breaker.ts";
import type { BreakerOptions, BreakerReport, GuardedAnswer } from "./domain-breaker.ts";
import type { FetchRequest } from "./fetch-answer.ts";
import type { HttpClient } from "./fetch-page.ts";

/** Made with a domain's first fetch; idle ones cost memory (about 6 KiB each) and no time. */
export class Breakers {
  readonly #client: Pick<HttpClient, "fetch">;
  readonly #options: Required<BreakerOptions>;
  readonly #domains = new Map<string, DomainBreaker>();

  constructor(client: Pick<HttpClient, "fetch">, options: BreakerOptions) {
    this.#client = client;
    this.#options = {
      failuresMin: 5,
      failureRatioMin: 0.5,
      windowMs: 300_000,
      resetTimeoutMs: 30_000,
      probeWaitMs: 5_000,
      breakersMax: 10_000,
      ...options,
    };
  }

  get size(): number {
    return this.#domains.size;
  }

  /** Most breakers that are kept. */
  get limit(): number {
    return this.#options.breakersMax;
  }

  /** Breakers by state, for gauges; `open` also means "due for a probe". */
  counts(): Readonly<Record<BreakerReport["state"], number>> {
    const counts = { closed: 0, open: 0, half_open: 0 };
    for (const breaker of this.#domains.values()) counts[breaker.report(false).state] += 1;
    return counts;
  }

  /**
   * Never rejects for expected failures, like the client's own fetch.
   * @param forgetBeforeMs a breaker that is older is forgotten, with all it has counted
   */
  fetch(
    domain: string,
    request: FetchRequest,
    signal: AbortSignal,
    forgetBeforeMs = 0,
  ): Promise<GuardedAnswer> {
    const found = this.#domains.get(domain);
    const known = found !== undefined && found.bornAtMs >= forgetBeforeMs ? found : undefined;
    if (known === undefined) this.#domains.delete(domain);
    const breaker = known ?? new DomainBreaker(this.#client, this.#options);
    if (known !== undefined) this.#domains.delete(domain);
    this.#domains.set(domain, breaker);
    if (this.#domains.size > this.#options.breakersMax) {
      for (const oldest of this.#domains.keys()) {
        this.#domains.delete(oldest);
        break;
      }
    }
    return breaker.fetch(request, signal);
  }

  /** `open` also means "due for a probe": half-open begins with the probe itself. */
  state(domain: string): BreakerReport {
    return this.#domains.get(domain)?.report(false) ?? { state: "closed", changed: false, retryAtMs: null };
  }

  /** Forgets all about a domain: the next fetch goes through. */
  reset(domain: string): void {
    this.#domains.delete(domain);
  }
}
