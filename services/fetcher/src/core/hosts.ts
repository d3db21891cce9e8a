import type { FetcherOptions } from "../options.ts";
import { Host } from "./host.ts";

/** The domains of one task. Not durable. */
export class FetcherState {
  readonly hosts = new Map<string, Host>();
  /** Calls for sitemaps, whose bodies may be large, that have not settled. */
  readonly sitemaps = new Set<string>();

  host(domain: string): Host {
    let host = this.hosts.get(domain);
    if (host === undefined) {
      host = new Host(domain);
      this.hosts.set(domain, host);
    }
    return host;
  }
}

/** Hosts looked at in one step when there are too many: more would make each step as slow as the table is long. */
const forgetLooks = 16;

/**
 * Hosts that have been quiet for longer than any wait are forgotten when there are too many. One that is
 * forgotten starts again like one just taken over; one that is not quiet goes to the end of the order.
 */
export function forgetIdle(state: FetcherState, nowMs: number, options: FetcherOptions): void {
  for (let looks = 0; looks < forgetLooks && state.hosts.size > options.hostsMax; looks += 1) {
    const host = state.hosts.values().next().value;
    if (host === undefined) return;
    state.hosts.delete(host.domain);
    if (!isForgettable(host, nowMs, options)) state.hosts.set(host.domain, host);
  }
}

function isForgettable(host: Host, nowMs: number, options: FetcherOptions): boolean {
  if (host.queue.length > 0 || host.running.size > 0 || host.holdUntilMs > nowMs) return false;
  return nowMs - (host.lastEndMs ?? 0) >= Math.max(options.forgetAfterMs, host.delayMaxMs);
}
