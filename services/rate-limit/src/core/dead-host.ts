import type { Outcome } from "@sluice/records";
import type { PaceOptions } from "../options.ts";
import type { Domain } from "./domains.ts";
import { backOffMs, hostFailures, type Pace } from "./pace.ts";

/** Whether a host lives, as far as its failures since it last answered say. */
type Life = Pick<Pace, "deadFailures" | "failingSinceMs" | "lastFailureMs" | "lastFailure">;

/** The same of one host name of several that share a domain; the domain's back-off is not its own. */
export interface HostLife extends Life {
  /** Once it is given up: when it is next asked whether it lives. */
  probeAtMs: number;
}

/** A host of which no failure is known. */
const alive: HostLife = {
  deadFailures: 0,
  failingSinceMs: null,
  lastFailureMs: null,
  lastFailure: null,
  probeAtMs: 0,
};

/** What is known of one host name of the domain. */
export function lifeOf(domain: Domain, host: string): HostLife {
  return host === domain.name ? { ...domain.pace, probeAtMs: 0 } : (domain.lives.get(host) ?? alive);
}

/** An outcome is of one host name: those that share its domain live or not by themselves. */
export function learnLives(domain: Domain, outcome: Outcome, nowMs: number, options: PaceOptions): void {
  const { host = domain.name } = outcome;
  if (host === domain.name) return learnLife(domain.pace, outcome, nowMs);
  const life = { ...lifeOf(domain, host) };
  const before = life.deadFailures;
  learnLife(life, outcome, nowMs);
  if (life.deadFailures > before)
    life.probeAtMs = (life.lastFailureMs ?? nowMs) + backOffMs(life.deadFailures, outcome.releaseId, options);
  domain.lives.delete(host);
  if (life.deadFailures > 0) domain.lives.set(host, life);
  const [first] = domain.lives.keys();
  if (first !== undefined && domain.lives.size > options.failingHostsMax) domain.lives.delete(first);
}

/** They say nothing of the host, though robots.txt may have been asked for on the way. */
const silent = new Set([
  "blocked",
  "cancelled",
  "expired",
  "paused",
  "breaker",
  "retry_after",
  "address_refused",
  "robots_unreachable",
]);

/** Counts failures since the host last gave an answer of use; any such answer makes it alive. */
export function learnLife(life: Life, outcome: Outcome, nowMs: number): void {
  if (outcome.requests === 0) return;
  const endedAtMs = outcome.endedAtMs ?? nowMs;
  if (hostFailures.has(outcome.category)) {
    life.deadFailures += 1;
    life.failingSinceMs ??= endedAtMs;
    life.lastFailureMs = Math.max(life.lastFailureMs ?? 0, endedAtMs);
    life.lastFailure = outcome.category;
  } else if (!silent.has(outcome.category)) {
    life.deadFailures = 0;
    life.failingSinceMs = null;
    life.lastFailureMs = null;
    life.lastFailure = null;
  }
}

/**
 * Whether a host is given up: it has failed often enough in a row, and for long enough. The time is asked for
 * beside the number because requests side by side fail together, and jitter can halve every back-off.
 */
export function isDead(life: Life, options: PaceOptions): boolean {
  if (life.deadFailures < options.deadAfterFailures) return false;
  return (life.lastFailureMs ?? 0) - (life.failingSinceMs ?? 0) >= options.deadAfterMs;
}
