import type { Outcome } from "@sluice/records";
import type { PaceOptions } from "../options.ts";
import { hostFailures, type Pace } from "./pace.ts";

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
export function learnLife(pace: Pace, outcome: Outcome, nowMs: number): void {
  if (outcome.requests === 0) return;
  const endedAtMs = outcome.endedAtMs ?? nowMs;
  if (hostFailures.has(outcome.category)) {
    pace.deadFailures += 1;
    pace.failingSinceMs ??= endedAtMs;
    pace.lastFailureMs = Math.max(pace.lastFailureMs ?? 0, endedAtMs);
    pace.lastFailure = outcome.category;
  } else if (!silent.has(outcome.category)) {
    pace.deadFailures = 0;
    pace.failingSinceMs = null;
    pace.lastFailureMs = null;
    pace.lastFailure = null;
  }
}

/**
 * Whether a host is given up: it has failed often enough in a row, and for long enough. The time is asked for
 * beside the number because requests side by side fail together, and jitter can halve every back-off.
 */
export function isDead(pace: Pace, options: PaceOptions): boolean {
  if (pace.deadFailures < options.deadAfterFailures) return false;
  return (pace.lastFailureMs ?? 0) - (pace.failingSinceMs ?? 0) >= options.deadAfterMs;
}
