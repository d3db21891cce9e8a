/** Requests for robots.txt that leave their host: a thousand hosts may redirect theirs to one that never asked for it. */
import { hostOf, politenessKeyOf } from "@sluice/records";
import { registrableDomain, robotsToken } from "@sluice/web";
import type { QueuedPermit, RobotsEntry, RunningCall } from "./host.ts";
import { jobOf } from "./jobs.ts";
import { policyFor } from "./politeness.ts";
import type { Turn } from "./turn.ts";
import { originOf } from "./url-parts.ts";

/** The other domain that a request for robots.txt goes to; null where it is the one that asks. */
export function visitedDomain({ host, options }: Turn, url: string): string | null {
  const domain = politenessKeyOf(options.politenessKey, hostOf(url), registrableDomain);
  return domain === host.domain ? null : domain;
}

/** How soon it is looked again whether what others use is free: another host, or a place for a sitemap. */
export const busyMs = 250;

/**
 * When the other host may be asked: its own clock counts, with the delay of who asks or its own, whichever is
 * longer, and one such request at a time.
 */
export function visitStart(
  { otherHost, context, nowMs }: Turn,
  head: QueuedPermit,
  domain: string,
  url: string,
): number {
  const target = otherHost(domain);
  if (target.visitors > 0 || target.running.size > 0) return nowMs + busyMs;
  const policy = policyFor(context, url);
  const delayMs = Math.max(head.permit.delayMs, policy.delayMs ?? 0, target.crawlDelayMs ?? 0);
  target.delayMaxMs = Math.max(target.delayMaxMs, delayMs);
  const lastMs = target.lastEndMs ?? context.assignedAtMs;
  return Math.max(delayMs > 0 ? lastMs + delayMs : 0, target.holdUntilMs);
}

/** The request has begun: also by the clock of the host that it went to. */
export function begun({ otherHost, nowMs }: Turn, running: RunningCall): void {
  running.startedAtMs = nowMs;
  if (running.visits !== null) otherHost(running.visits).lastStartMs = nowMs;
}

/** It is over, or was never made: the other host's own permits may go on. */
export function visitEnded({ otherHost, nowMs, out }: Turn, { visits }: RunningCall, asked: boolean): void {
  if (visits === null) return;
  const target = otherHost(visits);
  target.visitors -= 1;
  if (asked) target.lastEndMs = nowMs;
  out.push({ kind: "wake", lane: visits, atMs: nowMs });
}

/** What was read of another host's own robots.txt is known of that host too. */
export function shareRobots(
  { otherHost, options }: Turn,
  { url, visits }: RunningCall,
  entry: RobotsEntry,
): void {
  if (visits !== null && entry.kind === "known" && url === `${originOf(url)}/robots.txt`)
    otherHost(visits).keepRobots(originOf(url), entry, options.originsMax);
}

/** What is known of an origin; where it redirects to a robots.txt that another host has shown, that is not asked for again. */
export function sharedRobots(turn: Turn, origin: string): RobotsEntry | undefined {
  const { host, otherHost, nowMs, context, options } = turn;
  const entry = host.robots.get(origin);
  if (entry?.kind !== "redirected" || entry.url !== `${originOf(entry.url)}/robots.txt`) return entry;
  const domain = visitedDomain(turn, entry.url);
  const known = (domain === null ? host : otherHost(domain)).robots.get(originOf(entry.url));
  if (known?.kind !== "known" || known.expiresAtMs <= nowMs) return entry;
  const job = host.queue[0]?.permit.job;
  const crawlDelayMs = known.robots?.crawlDelayMs(robotsToken) ?? null;
  host.keepCrawlDelay(
    origin,
    crawlDelayMs === null || job === undefined
      ? null
      : Math.min(crawlDelayMs, jobOf(context, job).politeness.delayMaxMs),
  );
  host.keepRobots(origin, known, options.originsMax);
  return known;
}
