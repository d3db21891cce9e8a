import { hostOf, topics, type Due, type Permit } from "@sluice/records";
import { defer, expire, refuseBlocked, refuseUnreachable, tellForgotten } from "./answers.ts";
import { checkRate, takeTokens, type RateAnswer } from "./check-rate.ts";
import { deleteDomain, dropWaiting, expireOut, saveDomain, type Domain } from "./domains.ts";
import { delayOf, forgetAtMs, startOf, type Politeness } from "./pace.ts";
import { isDead, lifeOf } from "./dead-host.ts";
import { policyFor, politenessFor, type Turn } from "./turn.ts";

/** What becomes of the URL that has waited longest. */
type Verdict =
  /** For it and those behind it that are asked for alike, as many as may go. */
  | { readonly kind: "permits"; readonly rate: RateAnswer }
  | { readonly kind: "blocked"; readonly reason: string }
  | { readonly kind: "expired" | "unreachable" }
  | { readonly kind: "deferred"; readonly dueAtMs: number }
  | { readonly kind: "wait"; readonly wakeAtMs: number };

/** Permits for what may go now; a wake for what may go later. */
export function issue(turn: Turn, domain: Domain): void {
  const { out, nowMs, options } = turn;
  let issued = 0;
  const before = domain.out.size;
  expireOut(domain, nowMs, nowMs + options.outcomeMaxMs);
  if (domain.out.size < before) saveDomain(domain, out);
  for (;;) {
    const due = domain.waiting.values().next().value;
    if (due === undefined) break;
    const politeness = politenessFor(turn.context, due);
    const verdict = verdictOn(turn, domain, due, politeness);
    if (verdict.kind === "wait") {
      out.push({ kind: "wake", lane: domain.name, atMs: verdict.wakeAtMs });
      break;
    }
    if (verdict.kind === "permits") {
      permit(turn, domain, politeness, verdict.rate);
      issued += 1;
      continue;
    }
    dropWaiting(domain, due, out);
    switch (verdict.kind) {
      case "expired":
        expire(turn, domain, due);
        break;
      case "unreachable":
        refuseUnreachable(turn, domain, due);
        break;
      case "blocked":
        refuseBlocked(turn, domain, due, verdict.reason);
        break;
      case "deferred":
        defer(turn, domain, due, verdict.dueAtMs, politeness);
        break;
      default:
        verdict satisfies never;
    }
  }
  if (issued > 0) saveDomain(domain, out);
  if (domain.out.size > 0)
    out.push({ kind: "wake", lane: domain.name, atMs: Math.min(...domain.out.values()) + 1 });
  if (domain.waiting.size === 0 && domain.out.size === 0) forget(turn, domain);
}

function verdictOn(turn: Turn, domain: Domain, due: Due, politeness: Politeness): Verdict {
  const { nowMs, options } = turn;
  if (due.leaseUntilMs < nowMs) return { kind: "expired" };
  const blocked = policyFor(turn.context, hostOf(due.url)).blocked ?? null;
  if (blocked !== null) return { kind: "blocked", reason: blocked.reason };
  const { ms: startAtMs } = startOf(domain.pace, politeness, options);
  const life = lifeOf(domain, hostOf(due.url));
  const isEarly = Math.max(startAtMs, life.probeAtMs) > nowMs + options.leadMs;
  if (isDead(life, options) && isEarly) return { kind: "unreachable" };
  if (startAtMs - nowMs > options.waitMaxMs) return { kind: "deferred", dueAtMs: startAtMs };
  const batch = isDead(life, options) ? 1 : batchBehind(domain, due);
  const rate = checkRate(domain, batch, politeness, nowMs, options);
  if (rate.refusal === null) return { kind: "permits", rate };
  // The next outcome looks again, and the end of the lease does: it may be over before its turn comes.
  const turnAtMs = rate.refusal === "out" ? Infinity : startAtMs - options.leadMs;
  const wakeAtMs = Math.min(turnAtMs, due.leaseUntilMs + 1);
  return { kind: "wait", wakeAtMs };
}

/** How many URLs wait at the head for the same pace as the first one, itself included. */
function batchBehind(domain: Domain, { job, url, leaseUntilMs }: Due): number {
  const host = hostOf(url);
  let batch = 0;
  for (const each of domain.waiting.values()) {
    if (each.job !== job || each.leaseUntilMs < leaseUntilMs || hostOf(each.url) !== host) break;
    batch += 1;
  }
  return batch;
}

/** Permits for as many as were granted, from the head of the queue on. */
function permit(turn: Turn, domain: Domain, politeness: Politeness, rate: RateAnswer): void {
  const { out, options } = turn;
  const delayMs = delayOf(domain.pace, politeness, options);
  const due = [...domain.waiting.values()].slice(0, rate.granted);
  for (const [index, each] of due.entries()) {
    dropWaiting(domain, each, out);
    // Nobody begins it after its lease; what has begun then ends, and tells.
    domain.out.set(each.releaseId, each.leaseUntilMs + options.outcomeMaxMs);
    const value: Permit = {
      ...each,
      notBeforeMs: Math.ceil(rate.startAtMs + index * rate.intervalMs),
      delayMs,
      concurrency: politeness.concurrencyPerHost,
      intervalMs: rate.intervalMs,
      waitSource: rate.source,
    };
    out.push({ kind: "send", topic: topics.permits.name, key: domain.name, value });
  }
  takeTokens(domain, due.length, Math.max(rate.startAtMs, turn.nowMs), politeness);
}

/** A domain that is idle for long is as one that was never asked. */
function forget(turn: Turn, domain: Domain): void {
  const { state, out, nowMs, options } = turn;
  const atMs = forgetAtMs(domain.pace, options);
  if (atMs > nowMs) {
    out.push({ kind: "wake", lane: domain.name, atMs });
    return;
  }
  deleteDomain(state, domain, out);
  tellForgotten(turn, domain);
}
