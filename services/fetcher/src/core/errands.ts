/**
 * robots.txt that redirects to another domain (RFC 9309 §2.3.1.2): that one is asked by its own clock. The permit that
 * wants to know goes there by way of rate-limit, as any URL of that domain, and comes back with the answer.
 */
import {
  hostOf,
  politenessKeyOf,
  topics,
  type Due,
  type Errand,
  type ErrandAnswer,
  type Outcome,
  type Permit,
} from "@sluice/records";
import { parseRobots, registrableDomain, robotsForStatus, robotsToken, type Robots } from "@sluice/web";
import type { FetchOutcome } from "../calls.ts";
import { sendOutcome } from "./answers.ts";
import type { QueuedPermit, RobotsEntry } from "./host.ts";
import { isCancelled, knownJob } from "./jobs.ts";
import { policyFor } from "./politeness.ts";
import { defer, refuse } from "./refusals.ts";
import { isOwnRobots, robotsEntry, type RobotsAnswer } from "./robots.ts";
import type { Turn } from "./turn.ts";
import { originOf } from "./url-parts.ts";

type Said = ErrandAnswer["said"];

/** A permit whose robots.txt lies with another domain leaves, or goes back to the frontier; false where it does not. */
export function askElsewhere(
  turn: Turn,
  head: QueuedPermit,
  { url, hops }: Extract<RobotsEntry, { kind: "redirected" }>,
): boolean {
  const { host, out, nowMs, context, options } = turn;
  const { permit } = head;
  if ((policyFor(context, url).blocked ?? null) !== null) {
    refuse(turn, head, "robots_unreachable", "robots.txt redirects to a host that is blocked");
    return true;
  }
  const domain = politenessKeyOf(options.politenessKey, hostOf(url), registrableDomain);
  if (domain === host.domain) return false;
  if (permit.answer?.said.kind === "held" && permit.answer.url === url) {
    defer(turn, head, permit.answer.said.untilMs, "robots");
    return true;
  }
  const origin = originOf(permit.url);
  // One asks for all of the origin.
  if ((host.away.get(origin) ?? 0) > nowMs) {
    defer(turn, head, nowMs + options.robotsRetryMs, "robots");
    return true;
  }
  host.away.set(origin, permit.leaseUntilMs);
  const { releaseId, job, run, urlId, attempt, leaseUntilMs } = permit;
  const { errand: _errand, answer: _answer, ...waiting } = permit;
  const value: Due = {
    releaseId: `${releaseId}~${hops}`,
    job,
    run,
    url,
    urlId,
    depth: 0,
    root: null,
    parent: null,
    redirects: 0,
    attempt,
    releasedAtMs: Math.floor(nowMs),
    leaseUntilMs,
    errand: { domain: host.domain, hops, permit: waiting },
  };
  out.push({ kind: "send", topic: topics.due.name, key: domain, value });
  // Its place is free meanwhile: else two hosts that redirect to each other would each wait for the other's.
  const leaving: Permit = { ...permit, releaseId: value.releaseId };
  sendOutcome(out, host, leaving, { kind: "settled", category: "robots", errand: releaseId });
  out.push({ kind: "finish", id: head.recordId });
  return true;
}

/** What a permit has brought back is known of its origin from now on. */
export function takeAnswer(turn: Turn, { url, job, answer }: Permit): void {
  if (answer === undefined) return;
  const { host, options } = turn;
  const { said, hops } = answer;
  const origin = originOf(url);
  host.away.delete(origin);
  const before = host.robots.get(origin);
  const failures = before === undefined || before.kind === "known" ? 0 : before.failures;
  const keep = (entry: RobotsEntry): void => host.keepRobots(origin, entry, options.originsMax);
  if (said.kind !== "held") {
    keep({ kind: "redirected", url: answer.url, hops, failures });
    keep(entryOf(turn, origin, job, said));
  } else if (before === undefined) keep({ kind: "redirected", url: answer.url, hops, failures });
}

function entryOf(
  turn: Turn,
  origin: string,
  job: string,
  said: Exclude<Said, { kind: "held" }>,
): RobotsEntry {
  const from = { origin, job };
  switch (said.kind) {
    case "response": {
      const body = Buffer.from(said.body, "base64");
      return robotsEntry(turn, from, { ...said, body }, said.readAtMs);
    }
    case "failed":
      return robotsEntry(turn, from, said);
    case "refused":
      return robotsEntry(turn, from, { ...said, kind: "failed", category: "robots_unreachable", code: null });
    default:
      return said satisfies never;
  }
}

/** Answers an errand for which nothing has to be asked here, or nothing may be; false where it may be asked. */
export function answerErrand(turn: Turn, head: QueuedPermit, errand: Errand): boolean {
  const said = saidAtOnce(turn, head.permit);
  if (said === null) return false;
  giveBack(turn, head, errand, said, { category: "robots", requests: 0 });
  return true;
}

function saidAtOnce({ host, context, nowMs, options }: Turn, permit: Permit): Said | null {
  const { url } = permit;
  const job = knownJob(context, permit);
  // Who has the permit knows what follows.
  if (isCancelled(job, permit) || job?.desired === "paused" || permit.leaseUntilMs < nowMs)
    return { kind: "held", untilMs: nowMs };
  if ((policyFor(context, url).blocked ?? null) !== null) return blockedSaid;
  const entry = host.robots.get(originOf(url));
  if (isOwnRobots(url) && entry?.kind === "known" && entry.expiresAtMs > nowMs) {
    return {
      kind: "response",
      status: entry.robots === null ? 404 : 200,
      location: null,
      body: textOf(entry.robots),
      readAtMs: entry.readAtMs,
      retryAfterMs: null,
    };
  }
  if (host.holdUntilMs - nowMs > options.waitMaxMs) return { kind: "held", untilMs: host.holdUntilMs };
  return null;
}

const blockedSaid: Said = { kind: "refused", message: "robots.txt redirects to a host that is blocked" };

const textOf = (robots: Robots | null): string =>
  Buffer.from(robots?.excerpt(robotsToken) ?? []).toString("base64");

/** The other domain's robots.txt was asked for: the answer goes back, and the host's own clock moves on. */
export function settleErrand(
  turn: Turn,
  head: QueuedPermit,
  { answer, breaker }: Extract<FetchOutcome, { kind: "robots" }>,
  flags: { readonly isAsked: boolean; readonly isEnded: boolean; readonly retryAfterMs: number | null },
): void {
  const { host, nowMs, context, options } = turn;
  const { permit } = head;
  const { errand, url, job } = permit;
  if (errand === undefined) throw new Error(`${permit.releaseId} is no errand`);
  const told = {
    category: categoryOf(answer),
    requests: flags.isAsked ? 1 : 0,
    retryAfterMs: flags.retryAfterMs,
    breakerUntilMs: breaker.retryAtMs,
  };
  if (answer.kind === "breaker_open") {
    giveBack(turn, head, errand, { kind: "held", untilMs: answer.retryAtMs }, told);
  } else if (answer.kind === "failed" && answer.category === "cancelled") {
    // Aborted by a cancel, a block, or a shutdown: then the record stays unfinished and comes again.
    if (isCancelled(knownJob(context, permit), permit))
      giveBack(turn, head, errand, { kind: "held", untilMs: nowMs }, told);
    else if ((policyFor(context, url).blocked ?? null) !== null)
      giveBack(turn, head, errand, blockedSaid, told);
    else if (flags.isEnded) host.queue.unshift(head);
  } else if (answer.kind === "failed") {
    const { category, code, message } = answer;
    giveBack(turn, head, errand, { kind: "failed", category, code, message }, told);
  } else {
    const { status, location, retryAfterMs } = answer;
    const isRedirect = status >= 300 && status < 400;
    if (isOwnRobots(url) && !isRedirect && robotsForStatus(status) !== "disallow_all") {
      const origin = originOf(url);
      host.keepRobots(origin, robotsEntry(turn, { origin, job }, answer), options.originsMax);
    }
    const body = textOf(robotsForStatus(status) === "parse" ? parseRobots(answer.body) : null);
    const said: Said = { kind: "response", status, location, body, readAtMs: nowMs, retryAfterMs };
    giveBack(turn, head, errand, said, told);
  }
}

function categoryOf(answer: RobotsAnswer): string {
  if (answer.kind === "breaker_open") return "breaker";
  if (answer.kind === "failed") return answer.category;
  if (answer.status === 429) return "http_429";
  return answer.status >= 500 ? "http_5xx" : "ok";
}

/** The permit goes home; the outcome is for rate-limit, which has given a slot. */
function giveBack(
  { host, out, nowMs }: Turn,
  head: QueuedPermit,
  { domain, hops, permit }: Errand,
  said: Said,
  told: Pick<Outcome, "category" | "requests"> & Partial<Outcome>,
): void {
  const value: Permit = { ...permit, answer: { url: head.permit.url, hops, said } };
  out.push({ kind: "send", topic: topics.permits.name, key: domain, value });
  // Requests for the host's own robots.txt are told with the outcomes of its own URLs.
  const { robotsRequests } = host;
  const endedAtMs = told.requests > 0 ? nowMs : host.lastEndMs;
  sendOutcome(out, host, head.permit, { kind: "settled", errand: head.permit.releaseId, endedAtMs, ...told });
  host.robotsRequests = robotsRequests;
  out.push({ kind: "finish", id: head.recordId });
}
