import { hostOf } from "@sluice/records";
import type { Gauges, Measurement } from "@sluice/process";
import type { StepContext } from "@sluice/topology";
import { isDead, lifeOf } from "./core/dead-host.ts";
import type { Domain, RateLimitState } from "./core/domains.ts";
import { checkRate } from "./core/check-rate.ts";
import { holdOf, startOf } from "./core/pace.ts";
import { politenessFor } from "./core/turn.ts";
import { defaultPaceOptions, type PaceOptions } from "./options.ts";

/** What a host does now. */
type HostState = "idle" | "ready" | "politeness" | "retry_after" | "back_off" | "breaker" | "dead";

interface HostGauge {
  readonly state: HostState;
  /** URLs that may go at once, of those that wait. */
  readonly ready: number;
}

/** What rate-limit's tasks hold. Costs as much as there are hosts. */
export function gaugeRateLimit(options: PaceOptions = defaultPaceOptions): Gauges<RateLimitState> {
  return (tasks, nowMs) => {
    const waiting = new Map<string, number>();
    const hosts = new Map<string, number>();
    let out = 0;
    let fetchable = 0;
    for (const { state, context } of tasks) {
      for (const domain of state.domains.values()) {
        const host = gaugeHost(domain, context, nowMs, options);
        add(hosts, host.state, 1);
        add(waiting, "ready", host.ready);
        // Of a host that is being asked the rest waits for its turn.
        add(waiting, host.state === "ready" ? "politeness" : host.state, domain.waiting.size - host.ready);
        out += domain.out.size;
        fetchable += domain.out.size + host.ready;
      }
    }
    const found: Measurement[] = [
      { metric: "sluice_rate_limit_unanswered_permits", value: out },
      { metric: "sluice_fetch_ready", value: fetchable },
    ];
    for (const [state, value] of hosts)
      found.push({ metric: "sluice_rate_limit_hosts", value, labels: { state } });
    for (const [reason, value] of waiting)
      if (value > 0) found.push({ metric: "sluice_rate_limit_waiting_urls", value, labels: { reason } });
    return found;
  };
}

function gaugeHost(domain: Domain, context: StepContext, nowMs: number, options: PaceOptions): HostGauge {
  const { pace, waiting, out } = domain;
  const first = waiting.values().next().value;
  if (first === undefined) return { state: out.size > 0 ? "ready" : "idle", ready: 0 };
  const politeness = politenessFor(context, first);
  const dead = isDead(lifeOf(domain, hostOf(first.url)), options);
  const isEarly = startOf(pace, politeness, options).ms > nowMs + options.leadMs;
  if (isEarly) {
    const { hold } = holdOf(pace, politeness.delayMs, nowMs + options.leadMs);
    if (dead) return { state: "dead", ready: 0 };
    if (hold === "none" || hold === "crawl_delay")
      return { state: out.size > 0 ? "ready" : "politeness", ready: 0 };
    return { state: hold, ready: 0 };
  }
  const { granted: ready } = checkRate(domain, waiting.size, politeness, nowMs, options);
  return { state: dead && ready === 0 ? "dead" : "ready", ready };
}

function add<Key>(counts: Map<Key, number>, key: Key, value: number): void {
  counts.set(key, (counts.get(key) ?? 0) + value);
}
