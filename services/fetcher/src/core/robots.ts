import {
  parseRobots,
  robotsForStatus,
  robotsRedirectsMax,
  robotsToken,
  type RobotsDecision,
} from "@sluice/web";
import type { Permit } from "@sluice/records";
import type { FetchOutcome } from "../calls.ts";
import { failedEvent, sendEvent, sendOutcome, sendResult } from "./answers.ts";
import type { Host, QueuedPermit, RobotsEntry, RunningCall } from "./host.ts";
import { jobOf } from "./jobs.ts";
import { redirectTarget } from "./redirects.ts";
import { hold } from "./politeness.ts";
import { defer, refuse } from "./refusals.ts";
import { settleSitemap } from "./sitemaps.ts";
import type { Turn } from "./turn.ts";
import { tellProcessed } from "./url-events.ts";
import { originOf, pathOf } from "./url-parts.ts";

export function isAskingRobots(host: Host, origin: string): boolean {
  for (const running of host.running.values())
    if (running.kind === "robots" && running.origin === origin) return true;
  return false;
}

/** Whether a URL is that of an origin's own robots.txt. */
export const isOwnRobots = (url: string): boolean => url === `${originOf(url)}/robots.txt`;

type Heard = Extract<FetchOutcome, { kind: "robots" }>["answer"];

/** As it was heard, here or where another domain was asked. */
export type RobotsAnswer =
  | Exclude<Heard, { kind: "failed" }>
  | {
      readonly kind: "failed";
      readonly category: string;
      readonly code: string | null;
      readonly message: string;
    };

/**
 * What an answer to robots.txt means (RFC 9309 §2.3.1).
 * @param readAtMs when the answer was had: another domain's may be older
 */
export function robotsEntry(
  turn: Turn,
  { origin, job }: Pick<RunningCall, "origin" | "job">,
  answer: RobotsAnswer,
  readAtMs = turn.nowMs,
): RobotsEntry {
  const { host, nowMs, options, context } = turn;
  const before = host.robots.get(origin);
  const failuresBefore =
    before?.kind === "unreachable" || before?.kind === "redirected" ? before.failures : 0;
  const failures = failuresBefore + 1;
  const unreachable = (
    category: string,
    code: string | null,
    message: string,
    waitMs: number,
  ): RobotsEntry => ({
    kind: "unreachable",
    category,
    code,
    message,
    untilMs: nowMs + waitMs,
    failures,
  });
  if (answer.kind === "breaker_open")
    return unreachable(
      "breaker_open",
      null,
      "the breaker of the domain is open",
      Math.max(0, answer.retryAtMs - nowMs),
    );
  const waitMs = Math.min(options.robotsRetryMaxMs, options.robotsRetryMs * 2 ** (failures - 1));
  if (answer.kind === "failed") return unreachable(answer.category, answer.code, answer.message, waitMs);
  const hops = before?.kind === "redirected" ? before.hops : 0;
  if (answer.status >= 300 && answer.status < 400 && answer.location !== null && hops < robotsRedirectsMax) {
    const target = redirectTarget(
      answer.location,
      before?.kind === "redirected" ? before.url : `${origin}/robots.txt`,
    );
    if (target !== null)
      return { kind: "redirected", url: target.url, hops: hops + 1, failures: failuresBefore };
  }
  const rule = robotsForStatus(answer.status);
  if (rule === "disallow_all") {
    const retryAfterMs = Math.min(answer.retryAfterMs ?? 0, options.retryAfterMaxMs);
    const category = answer.status === 429 ? "http_429" : "http_5xx";
    return unreachable(
      category,
      `HTTP ${answer.status}`,
      `robots.txt answered ${answer.status}`,
      Math.max(waitMs, retryAfterMs),
    );
  }
  const robots = rule === "parse" ? parseRobots(answer.body) : null;
  const crawlDelayMs = robots?.crawlDelayMs(robotsToken) ?? null;
  const { delayMaxMs } = jobOf(context, job).politeness;
  host.keepCrawlDelay(origin, crawlDelayMs === null ? null : Math.min(crawlDelayMs, delayMaxMs));
  return {
    kind: "known",
    robots,
    status: rule === "parse" ? "parsed" : "allow_all",
    readAtMs,
    expiresAtMs: readAtMs + options.robotsTtlMs,
  };
}

/** Retry-After of a robots.txt that says to come later is the host's as any other. Returns how long it is. */
export function holdForRobots({ host, nowMs, options }: Turn, answer: RobotsAnswer): number | null {
  if (answer.kind !== "response" || robotsForStatus(answer.status) !== "disallow_all") return null;
  if (answer.retryAfterMs === null || answer.retryAfterMs <= 0) return null;
  const retryAfterMs = Math.min(answer.retryAfterMs, options.retryAfterMaxMs);
  hold(host, nowMs + retryAfterMs, "retry_after");
  return retryAfterMs;
}

/** robots.txt can't be had: nothing of the origin may be fetched, so the URL is tried again later, or given up. */
export function robotsFailed(
  turn: Turn,
  head: QueuedPermit,
  entry: Extract<RobotsEntry, { kind: "unreachable" }>,
): void {
  const { host, out, nowMs, context } = turn;
  const { permit } = head;
  if (entry.category === "breaker_open") return defer(turn, head, entry.untilMs, "breaker");
  // One request costs one URL one try: the others of the host were not tried, and must not be given up for it.
  const isTried = host.robotsRequests > 0 || permit.answer !== undefined;
  if (!isTried && entry.category !== "address_refused") {
    return defer(turn, head, entry.untilMs, "robots");
  }
  const job = jobOf(context, permit.job);
  const detail = `robots.txt: ${entry.message}`;
  if (permit.attempt < job.fetch.attemptsMax && entry.category !== "address_refused") {
    sendEvent(out, failedEvent(permit, entry.category, detail, nowMs, { refused: false, final: false }));
    sendOutcome(out, host, permit, {
      kind: "retry",
      category: entry.category,
      dueAtMs: Math.ceil(Math.max(entry.untilMs, host.holdUntilMs)),
      detail,
    });
    out.push({ kind: "finish", id: head.recordId });
    return;
  }
  // The host answers and says nothing about its rules: that is a refusal. No answer at all is a failed fetch.
  if (["http_5xx", "http_429", "robots_unreachable"].includes(entry.category))
    return refuse(turn, head, "robots_unreachable", detail, {
      robotsStatus: "unreachable",
      robotsRule: null,
      robotsLine: null,
      robotsAgeMs: null,
    });
  if (permit.sitemap !== undefined) {
    const base = { category: entry.category, detail };
    return settleSitemap(turn, head, null, null, base);
  }
  sendEvent(out, failedEvent(permit, entry.category, detail, nowMs, { refused: false, final: true }));
  const id = sendResult(
    out,
    host,
    permit,
    {
      outcome: entry.category,
      errorCode: entry.code,
      errorMessage: detail,
      response: null,
      content: null,
      contentKept: true,
      egress: null,
      redirectTo: null,
      linksAdmitted: 0,
      robots: null,
      robotsStatus: "unreachable",
      robotsAgeMs: null,
      durationMs: null,
      nowMs,
    },
    context,
  );
  tellProcessed(turn, permit, id);
  sendOutcome(out, host, permit, { kind: "settled", category: entry.category, detail });
  out.push({ kind: "finish", id: head.recordId });
}

/** How long ago robots.txt was read. */
export const ageOf = (entry: Extract<RobotsEntry, { kind: "known" }>, nowMs: number): number =>
  Math.max(0, Math.round(nowMs - entry.readAtMs));

/** What robots.txt says of a URL that was fetched, for its result. */
export function robotsOf(
  host: Host,
  origin: string,
  permit: Permit,
  nowMs: number,
): { robots: RobotsDecision | null; robotsStatus: string | null; robotsAgeMs: number | null } {
  const entry = host.robots.get(origin);
  if (entry?.kind !== "known") return { robots: null, robotsStatus: null, robotsAgeMs: null };
  return {
    robotsAgeMs: ageOf(entry, nowMs),
    robots: entry.robots?.decide(robotsToken, pathOf(permit.url)) ?? null,
    robotsStatus: entry.status,
  };
}
