/** Which hosts wait, and why, from the records of `crawl.hosts`. */
import { holdReasons, type Host } from "@sluice/records";

type HoldReason = (typeof holdReasons)[number];

export interface WaitingHosts {
  readonly count: number;
  /** Most frequent first. */
  readonly reasons: readonly { readonly reason: HoldReason; readonly count: number }[];
  /** The host that has longest to wait, of those whose end is known. */
  readonly longest: { readonly domain: string; readonly waitMs: number } | null;
}

/** Most hosts remembered; beyond it the one heard of first is forgotten. */
const hostsMax = 100_000;

export class HostBook {
  readonly #held = new Map<string, Host>();

  /** @param host null: nothing is known of the domain any more */
  fold(domain: string, host: Host | null): void {
    this.#held.delete(domain);
    if (host === null || host.hold === "none") return;
    this.#held.set(domain, host);
    const oldest = this.#held.keys().next();
    if (this.#held.size > hostsMax && oldest.done === false) this.#held.delete(oldest.value);
  }

  waiting(nowMs: number): WaitingHosts {
    const counts = new Map<HoldReason, number>();
    let longest: WaitingHosts["longest"] = null;
    for (const { domain, hold, holdUntilMs } of this.#held.values()) {
      if (holdUntilMs !== null && holdUntilMs <= nowMs) continue;
      counts.set(hold, (counts.get(hold) ?? 0) + 1);
      const waitMs = (holdUntilMs ?? nowMs) - nowMs;
      if (waitMs > (longest?.waitMs ?? 0)) longest = { domain, waitMs };
    }
    const reasons = [...counts]
      .map(([reason, count]) => ({ reason, count }))
      .sort((a, b) => b.count - a.count);
    return { count: reasons.reduce((sum, { count }) => sum + count, 0), reasons, longest };
  }
}
