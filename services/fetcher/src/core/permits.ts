import { robotsToken } from "@sluice/web";
import { policyOf, topics, type Errand, type Permit } from "@sluice/records";
import type { FetchCall, RequestWait } from "../calls.ts";
import { sendOutcome } from "./answers.ts";
import type { Host, QueuedPermit, RobotsEntry, RunningCall } from "./host.ts";
import { isCancelled, jobOf, knownJob } from "./jobs.ts";
import { earliest, forgive, keepingOf, policyFor, type Start } from "./politeness.ts";
import { defer, refuse } from "./refusals.ts";
import { ageOf, isAskingRobots, isOwnRobots, robotsFailed } from "./robots.ts";
import { announceSitemaps } from "./sitemaps.ts";
import type { Turn } from "./turn.ts";
import { answerErrand, askElsewhere } from "./errands.ts";
import { originOf, pathOf } from "./url-parts.ts";

/** How soon it is looked again whether a place for a sitemap is free. */
const busyMs = 250;

/** Begins or answers what can be begun or answered now, in order; asks to be woken for what comes later. */
export function pump(turn: Turn): void {
  const { host, out, nowMs, options } = turn;
  for (;;) {
    const head = host.queue[0];
    if (head === undefined) return;
    const { permit } = head;
    if (answerUnasked(turn, head)) {
      host.queue.shift();
      continue;
    }
    // Its scope and limits are not known yet; the table will say so when they are.
    if (knownJob(turn.context, permit) === null) {
      out.push({ kind: "wake", lane: host.domain, atMs: permit.leaseUntilMs + 1 });
      return;
    }
    if (host.running.size >= keepingOf(host, head, turn.context).concurrency) return;
    const origin = originOf(permit.url);
    const entry = host.robots.get(origin);
    const known = entry?.kind === "known" && isFresh(turn, entry, permit) ? entry : null;
    if (permit.errand !== undefined) {
      if (!beginErrand(turn, head, permit.errand)) return;
      continue;
    }
    if (known !== null) {
      const decision = known.robots?.decide(robotsToken, pathOf(permit.url)) ?? null;
      if (decision?.allowed === false) {
        host.queue.shift();
        const detail = `${decision.rule ?? "disallow"} (line ${decision.line ?? "?"} of robots.txt)`;
        const said = {
          robotsStatus: known.status,
          robotsRule: decision.rule,
          robotsLine: decision.line,
          robotsAgeMs: ageOf(known, nowMs),
        };
        const sitemaps = announceSitemaps(turn, permit, jobOf(turn.context, permit.job), origin);
        refuse(turn, head, "robots", detail, said, sitemaps);
        continue;
      }
    } else if (entry?.kind === "unreachable" && entry.untilMs > nowMs) {
      host.queue.shift();
      robotsFailed(turn, head, entry);
      continue;
    } else if (isAskingRobots(host, origin)) {
      return;
    } else if (entry?.kind === "redirected" && askElsewhere(turn, head, entry)) {
      host.queue.shift();
      continue;
    }
    const start = startNow(turn, head);
    if (start === null) return;
    const job = jobOf(turn.context, permit.job);
    if (known === null) {
      const url = entry?.kind === "redirected" ? entry.url : `${origin}/robots.txt`;
      beginRobots(turn, start, head, url, origin, null);
      return;
    }
    const isSitemap = permit.sitemap !== undefined;
    if (isSitemap && turn.sitemaps.size >= options.sitemapsAtOnce) {
      if (putPageFirst(host)) continue;
      out.push({ kind: "wake", lane: host.domain, atMs: nowMs + busyMs });
      return;
    }
    host.queue.shift();
    const { extract } = job;
    const policy = policyFor(turn.context, permit.url);
    const asked = { domain: host.domain, url: permit.url, fetch: job.fetch, policy };
    begin(
      turn,
      start,
      head,
      isSitemap
        ? { kind: "sitemap", ...asked }
        : { kind: "page", ...asked, ...(extract === undefined ? {} : { selectors: extract.selectors }) },
      {
        kind: isSitemap ? "sitemap" : "page",
        origin,
        job: permit.job,
        queued: head,
        askedAtMs: nowMs,
        startedAtMs: null,
      },
    );
  }
}

/** Null where it is too early for the permit's request: it is looked at again when it is time. */
function startNow(turn: Turn, head: QueuedPermit): Start | null {
  const start = earliest(turn, head);
  // Asked for and not begun: `started` looks again.
  if (start.atMs === Infinity) return null;
  if (start.atMs <= turn.nowMs) return start;
  turn.out.push({ kind: "wake", lane: turn.host.domain, atMs: start.atMs });
  return null;
}

/** Asks for what another domain's robots.txt redirects to; false where it is too early. */
function beginErrand(turn: Turn, head: QueuedPermit, errand: Errand): boolean {
  const { host } = turn;
  const { url } = head.permit;
  // The host's own robots.txt is on its way: that will be the answer.
  if (isOwnRobots(url) && isAskingRobots(host, originOf(url))) return false;
  const start = startNow(turn, head);
  if (start === null) return false;
  host.queue.shift();
  // Of its own robots.txt the host's own URLs wait for the answer too.
  beginRobots(turn, start, head, url, isOwnRobots(url) ? originOf(url) : originOf(errand.permit.url), head);
  return true;
}

function beginRobots(
  turn: Turn,
  start: Start,
  head: QueuedPermit,
  url: string,
  origin: string,
  queued: QueuedPermit | null,
): void {
  const { host, context, nowMs, options } = turn;
  const { job } = head.permit;
  begin(
    turn,
    start,
    head,
    {
      kind: "robots",
      domain: host.domain,
      url,
      totalTimeoutMs: options.robotsTimeoutMs,
      secrets: jobOf(context, job).fetch.secrets,
      policy: policyFor(context, url),
    },
    { kind: "robots", origin, job, queued, askedAtMs: nowMs, startedAtMs: null },
  );
}

/** While other hosts' sitemaps are fetched, pages of this one need not wait; false where it has none. */
function putPageFirst({ queue }: Host): boolean {
  const at = queue.findIndex(({ permit }) => permit.sitemap === undefined);
  if (at < 0) return false;
  queue.unshift(...queue.splice(at, 1));
  return true;
}

/** Answers a permit that will not be fetched whatever the clock says; false where it may be. */
function answerUnasked(turn: Turn, head: QueuedPermit): boolean {
  if (head.permit.errand !== undefined) return answerErrand(turn, head, head.permit.errand);
  const { host, nowMs, options } = turn;
  const job = knownJob(turn.context, head.permit);
  if (isCancelled(job, head.permit)) {
    refuse(turn, head, "cancelled", "the job was cancelled");
    return true;
  }
  const blocked = policyFor(turn.context, head.permit.url).blocked ?? null;
  if (blocked !== null) {
    refuse(turn, head, "blocked", blocked.reason);
    return true;
  }
  if (job?.desired === "paused") {
    defer(turn, head, nowMs, "paused");
    return true;
  }
  if (head.permit.leaseUntilMs < nowMs) {
    sendOutcome(turn.out, host, head.permit, {
      kind: "expired",
      category: "expired",
      detail: "the lease is over",
    });
    turn.out.push({ kind: "finish", id: head.recordId });
    return true;
  }
  if (host.holdUntilMs - nowMs > options.waitMaxMs) {
    const entry = host.robots.get(originOf(head.permit.url));
    // A robots.txt that just failed costs its URL a try also where the host asks for a long wait each time: else
    // the URL would be deferred for ever.
    if (host.robotsRequests > 0 && entry?.kind === "unreachable") robotsFailed(turn, head, entry);
    else defer(turn, head, host.holdUntilMs, host.holdReason);
    return true;
  }
  return false;
}

/** What was read last serves the next request, though the delay before it be longer: else it would never come. */
function isFresh(
  { host, nowMs }: Turn,
  entry: Extract<RobotsEntry, { kind: "known" }>,
  { answer }: Permit,
): boolean {
  const isLast = entry.readAtMs === host.lastEndMs || answer !== undefined;
  return entry.expiresAtMs > nowMs || (isLast && entry.expiresAtMs + host.delayMaxMs > nowMs);
}

type Asked = DistributiveOmit<FetchCall, "forgetFailuresBeforeMs" | "wait">;
type DistributiveOmit<Union, Keys extends PropertyKey> = Union extends unknown ? Omit<Union, Keys> : never;

function begin(
  turn: Turn,
  start: Start,
  head: QueuedPermit,
  asked: Asked,
  about: Omit<RunningCall, "url">,
): void {
  const { host, out, nowMs, context } = turn;
  const running: RunningCall = { ...about, url: asked.url };
  const { concurrency, perMinute: perMinuteMax } = keepingOf(host, head, context);
  host.minute.add(nowMs);
  const wait: RequestWait = {
    job: about.job,
    waitMs: start.waitMs,
    waitSource: start.source,
    sinceEndMs: host.lastEndMs === null ? null : nowMs - host.lastEndMs,
    sinceStartMs: host.lastStartMs === null ? null : nowMs - host.lastStartMs,
    concurrency,
    perMinute: host.minute.count(nowMs),
    perMinuteMax,
  };
  const { forgetFailuresBeforeMs = 0 } = policyOf(asked.domain, context.tables[topics.policies.name]);
  const request = { ...asked, forgetFailuresBeforeMs, wait };
  host.calls += 1;
  const callId = `${host.domain}#${context.epoch}.${host.calls}`;
  host.running.set(callId, running);
  host.unbegun.add(callId);
  if (about.kind === "sitemap") turn.sitemaps.add(callId);
  out.push({ kind: "call", lane: host.domain, callId, request, promptness: host.promptness });
}

/** What is said of hosts changed: requests to one that is blocked now are ended, and what waits is looked at anew. */
export function policyChanged(turn: Turn): void {
  const { host, out, context } = turn;
  forgive(turn);
  for (const [callId, { url }] of host.running) {
    if (host.withdrawn.has(callId) || host.ended.has(callId)) continue;
    if ((policyFor(context, url).blocked ?? null) === null) continue;
    (host.unbegun.has(callId) ? host.withdrawn : host.ended).add(callId);
    out.push({ kind: "abort", callId });
  }
  const kept = host.queue.filter((head) => !answerUnasked(turn, head));
  host.queue.splice(0, host.queue.length, ...kept);
  pump(turn);
}

/** A job changed: what runs for a cancelled one is aborted, what waits is answered. */
export function jobChanged(turn: Turn, id: string): void {
  for (const [callId, running] of turn.host.running) {
    const permit = running.job === id ? running.queued?.permit : undefined;
    if (permit !== undefined && isCancelled(knownJob(turn.context, permit), permit)) {
      turn.out.push({ kind: "abort", callId });
    }
  }
  const kept = turn.host.queue.filter((head) => head.permit.job !== id || !answerUnasked(turn, head));
  turn.host.queue.splice(0, turn.host.queue.length, ...kept);
  pump(turn);
}
