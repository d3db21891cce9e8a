/** The wait between two requests to a host, kept by a probe as a fetcher keeps it. */

const hostsMax = 1000;

export interface WaitClock {
  nowMs(): number;
  sleep(delayMs: number): Promise<void>;
}

export class HostWaits {
  readonly #clock: WaitClock;
  /** When the last request to each host ended, the longest ago first. */
  readonly #endedAtMs = new Map<string, number>();

  constructor(clock: WaitClock) {
    this.#clock = clock;
  }

  /** Resolves when the host may be asked, with how long that took in milliseconds. */
  async wait(domain: string, delayMs: number): Promise<number> {
    const endedAtMs = this.#endedAtMs.get(domain);
    const leftMs = endedAtMs === undefined ? 0 : Math.ceil(endedAtMs + delayMs - this.#clock.nowMs());
    if (leftMs <= 0) return 0;
    await this.#clock.sleep(leftMs);
    return leftMs;
  }

  /** A request to the host has ended. */
  ended(domain: string): void {
    this.#endedAtMs.delete(domain);
    this.#endedAtMs.set(domain, this.#clock.nowMs());
    if (this.#endedAtMs.size <= hostsMax) return;
    for (const oldest of this.#endedAtMs.keys()) {
      this.#endedAtMs.delete(oldest);
      break;
    }
  }
}
