import { defaultJobId, hostOf, type Due, type Outcome } from "@sluice/records";
import { defer, expire, tell } from "./answers.ts";
import { isDead, learnLives, lifeOf } from "./dead-host.ts";
import { keepWaiting, saveDomain, type Domain } from "./domains.ts";
import { delayOf, forgive, learn, startOf } from "./pace.ts";
import { issue } from "./permits.ts";
import { policyFor, politenessFor, politenessOf, type Turn } from "./turn.ts";

/** A URL that the frontier has released: it waits for its permit, or goes back where the wait is too long. */
export function receiveDue(turn: Turn, name: string, due: Due): void {
  const { state, out, nowMs, context, options } = turn;
  const domain = state.domain(name);
  if (due.leaseUntilMs < nowMs) {
    expire(turn, domain, due);
    return issue(turn, domain);
  }
  const politeness = politenessFor(context, due);
  domain.pace.configuredMs = Math.max(domain.pace.configuredMs, politeness.delayMs);
  const delayMs = delayOf(domain.pace, politeness, options);
  const eachMs = Math.max(delayMs / politeness.concurrencyPerHost, politeness.intervalMs);
  const startAtMs =
    Math.max(nowMs, startOf(domain.pace, politeness, options).ms) + domain.waiting.size * eachMs;
  if (startAtMs - nowMs > options.waitMaxMs && !isDead(lifeOf(domain, hostOf(due.url)), options)) {
    defer(turn, domain, due, startAtMs, politeness);
    tell(turn, domain, politeness);
    saveDomain(domain, out);
    return issue(turn, domain);
  }
  keepWaiting(state, domain, due, out);
  issue(turn, domain);
}

/** What became of a permit: it moves the domain's clock, and another may go. */
export function receiveOutcome(turn: Turn, name: string, outcome: Outcome): void {
  if (outcome.by === "rate-limit") return;
  const { state, out, nowMs, context, options } = turn;
  const domain = state.domain(name);
  domain.out.delete(outcome.errand ?? outcome.releaseId);
  learn(domain.pace, outcome, nowMs, options);
  learnLives(domain, outcome, nowMs, options);
  tell(turn, domain, politenessOf(context, outcome.job, name));
  saveDomain(domain, out);
  issue(turn, domain);
}

/** What the operator says of the domain may be new: what waits may go sooner or later, or never. */
export function policyChanged(turn: Turn, domain: Domain): void {
  forgiveFailures(turn, domain);
  if (domain.waiting.size > 0) issue(turn, domain);
}

/** Failures that the operator has said count no more are forgiven, once. */
export function forgiveFailures(turn: Turn, domain: Domain): void {
  const { out, context } = turn;
  if (!forgive(domain.pace, policyFor(context, domain.name).forgetFailuresBeforeMs ?? 0)) return;
  for (const [host, { lastFailureMs }] of domain.lives)
    if ((lastFailureMs ?? 0) <= domain.pace.forgivenMs) domain.lives.delete(host);
  const first = domain.waiting.values().next().value;
  const politeness =
    first === undefined ? politenessOf(context, defaultJobId, domain.name) : politenessFor(context, first);
  tell(turn, domain, politeness);
  saveDomain(domain, out);
}
