import { hostOf, perMinuteOf, policyOf, topics, type HostPolicy, type WaitSource } from "@sluice/records";
import type { StepContext } from "@sluice/topology";
import { jobOf } from "./jobs.ts";
import type { HoldReason, Host, QueuedPermit } from "./host.ts";
import type { Turn } from "./turn.ts";

/** What the operator says of the host of a URL. */
export const policyFor = (context: StepContext, url: string): HostPolicy =>
  policyOf(hostOf(url), context.tables[topics.policies.name]);

/** When a request may start at the earliest, and which of all reasons makes it so late. */
export interface Start {
  readonly atMs: number;
  readonly source: WaitSource;
  /** The wait that the reason asks for after the request before; 0 where it holds the host until an instant. */
  readonly waitMs: number;
}

/** What one permit's request has to keep: by rate-limit's word or our own, whichever asks for more. */
export interface Keeping {
  readonly delayMs: number;
  readonly delaySource: WaitSource;
  readonly intervalMs: number;
  readonly perMinute: number | null;
  readonly concurrency: number;
}

export function keepingOf(host: Host, { permit }: QueuedPermit, context: StepContext): Keeping {
  const { politeness } = jobOf(context, permit.job);
  const policy = policyFor(context, permit.url);
  const perMinute = perMinuteOf(policy, politeness.requestsPerMinuteMax);
  const crawlDelayMs = Math.min(host.crawlDelayMs ?? 0, politeness.delayMaxMs);
  const configuredMs = policy.delayMs ?? politeness.delayMs;
  const delayMs = Math.max(permit.delayMs, policy.delayMs ?? 0, crawlDelayMs);
  return {
    delayMs,
    delaySource: delayMs <= configuredMs ? "delay" : delayMs <= crawlDelayMs ? "crawl_delay" : "latency",
    intervalMs: Math.max(permit.intervalMs, perMinute === null ? 0 : 60_000 / perMinute),
    perMinute,
    concurrency: Math.min(permit.concurrency, policy.concurrency ?? permit.concurrency),
  };
}

/** The earliest instant at which the domain may be asked, by everything this fetcher knows; it is remembered. */
export function earliest({ host, context }: Turn, head: QueuedPermit): Start {
  host.delayMaxMs = Math.max(host.delayMaxMs, keepingOf(host, head, context).delayMs);
  return startOf(host, head, context);
}

/** The same without a trace; infinite while a request has been asked for and not begun. */
export function startOf(host: Host, head: QueuedPermit, context: StepContext): Start {
  const { permit } = head;
  const { delayMs, delaySource, intervalMs, concurrency } = keepingOf(host, head, context);
  // Spaced by starts: one that has been asked for and not begun has no start yet.
  const byStarts = intervalMs > 0 || (delayMs > 0 && concurrency > 1);
  if (byStarts && host.unbegun.size > 0) return { atMs: Infinity, source: delaySource, waitMs: delayMs };
  // The clock of rate-limit may differ from ours: no more than its lead is believed of it.
  const permittedAtMs = Math.min(permit.notBeforeMs, head.receivedAtMs + 1000);
  const reasons: Start[] = [{ atMs: permittedAtMs, source: permit.waitSource, waitMs: delayMs }];
  if (delayMs > 0) {
    // With one connection spaced from the end of one to the start of the next, so that no delay on the way can
    // bring them closer.
    const lastMs = concurrency > 1 ? host.lastStartMs : host.lastEndMs;
    const source = lastMs === null ? "takeover" : delaySource;
    reasons.push({ atMs: (lastMs ?? context.assignedAtMs) + delayMs, source, waitMs: delayMs });
  }
  if (intervalMs > 0) {
    const lastMs = host.lastStartMs ?? context.assignedAtMs;
    reasons.push({ atMs: lastMs + intervalMs, source: "cap", waitMs: intervalMs });
  }
  if (host.holdUntilMs > 0) reasons.push({ atMs: host.holdUntilMs, source: host.holdReason, waitMs: 0 });
  return reasons.reduce((found, each) => (each.atMs > found.atMs ? each : found));
}

/** Nothing is asked of the host before then; of several instants for a reason the last counts. */
export function hold(host: Host, untilMs: number, reason: HoldReason): void {
  host.holds[reason] = Math.max(host.holds[reason], untilMs);
}

/** The operator has said that failures before an instant count no more: what they hold is let go. */
export function forgive({ host, context }: Turn): void {
  const beforeMs = policyOf(host.domain, context.tables[topics.policies.name]).forgetFailuresBeforeMs ?? 0;
  if (beforeMs <= host.forgivenMs) return;
  host.forgivenMs = beforeMs;
  host.holds.breaker = 0;
  host.breaker = "closed";
  for (const [origin, entry] of host.robots) if (entry.kind === "unreachable") host.robots.delete(origin);
}
