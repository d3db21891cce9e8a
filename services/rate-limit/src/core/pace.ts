import { createHash } from "node:crypto";
import { unreachedFailures, type BreakerState, type Outcome, type WaitSource } from "@sluice/records";
import type { PaceOptions } from "../options.ts";

/** What rate-limit knows of the pace of one domain. Durable. */
export interface Pace {
  /** End of the last request that is known of; null where the domain was never asked. */
  lastEndMs: number | null;
  /** Failures in a row that speak of the host, not of the page. */
  failuresInRow: number;
  backOffUntilMs: number;
  retryAfterUntilMs: number;
  breakerUntilMs: number;
  crawlDelayMs: number | null;
  /** Longest wait that a job has asked for. */
  configuredMs: number;
  /** Smoothed time to first byte. */
  latencyMs: number | null;
  /** What the host's time to first byte is when it is well: follows faster answers at once, slower ones slowly. */
  usualLatencyMs: number | null;
  /** Wait that is added because the host has become slower than it was; grows by doubling, shrinks by steps. */
  slowdownMs: number;
  /** Before it no token of a cap per minute is free. */
  tokenAtMs: number;
  /** Failures of the host since it last answered; unlike `failuresInRow`, one answer takes back all of them. */
  deadFailures: number;
  /** End of the first and of the latest of those failures. */
  failingSinceMs: number | null;
  lastFailureMs: number | null;
  /** Category of the latest of them. */
  lastFailure: string | null;
  /** Failures before this instant have been forgiven, by the operator's word. */
  forgivenMs: number;
  /** As the fetcher told them last. */
  breaker: BreakerState;
  robotsStatus: string | null;
  robotsReadAtMs: number | null;
}

export const newPace = (): Pace => ({
  lastEndMs: null,
  failuresInRow: 0,
  backOffUntilMs: 0,
  retryAfterUntilMs: 0,
  breakerUntilMs: 0,
  crawlDelayMs: null,
  configuredMs: 0,
  latencyMs: null,
  usualLatencyMs: null,
  slowdownMs: 0,
  tokenAtMs: 0,
  deadFailures: 0,
  failingSinceMs: null,
  lastFailureMs: null,
  lastFailure: null,
  forgivenMs: 0,
  breaker: "closed",
  robotsStatus: null,
  robotsReadAtMs: null,
});

export interface Politeness {
  readonly delayMs: number;
  readonly concurrencyPerHost: number;
  /** Longest crawl-delay that is obeyed as it is. */
  readonly delayMaxMs: number;
  /** Least time between the starts of two requests, by a cap per minute; 0: no cap. */
  readonly intervalMs: number;
}

/** Of several reasons to wait the one that counts, with how long or until when. */
interface Reason {
  readonly source: WaitSource;
  readonly ms: number;
}

const longest = (reasons: readonly Reason[]): Reason =>
  reasons.reduce((found, each) => (each.ms > found.ms ? each : found));

/** Why the domain waits between two requests: the largest of what was configured, robots.txt, and its own pace. */
export function spacingOf(pace: Pace, politeness: Politeness, options: PaceOptions): Reason {
  const { delayMs, delayMaxMs } = politeness;
  // With a delay of 0 the operator has said that the host needs no care.
  const adaptiveMs =
    delayMs === 0
      ? 0
      : Math.min(
          Math.max((pace.latencyMs ?? 0) * options.latencyFactor, pace.slowdownMs),
          options.latencyDelayMaxMs,
        );
  const { source, ms } = longest([
    { source: "delay", ms: delayMs },
    { source: "crawl_delay", ms: Math.min(pace.crawlDelayMs ?? 0, delayMaxMs) },
    { source: "latency", ms: adaptiveMs },
  ]);
  return { source, ms: Math.round(ms) };
}

/** The wait between two requests. */
export const delayOf = (pace: Pace, politeness: Politeness, options: PaceOptions): number =>
  spacingOf(pace, politeness, options).ms;

/** The earliest instant at which the domain may be asked again; a cap per minute is asked for tokens beside it. */
export function nextAtMs(pace: Pace, delayMs: number): number {
  const spacedMs = pace.lastEndMs === null ? 0 : pace.lastEndMs + delayMs;
  return Math.max(spacedMs, pace.backOffUntilMs, pace.retryAfterUntilMs, pace.breakerUntilMs);
}

/** The same with the cap, and which of all reasons made it so late. */
export function startOf(pace: Pace, politeness: Politeness, options: PaceOptions): Reason {
  const spacing = spacingOf(pace, politeness, options);
  return longest([
    { source: spacing.source, ms: pace.lastEndMs === null ? 0 : pace.lastEndMs + spacing.ms },
    { source: "cap", ms: politeness.intervalMs === 0 ? 0 : pace.tokenAtMs },
    { source: "back_off", ms: pace.backOffUntilMs },
    { source: "retry_after", ms: pace.retryAfterUntilMs },
    { source: "breaker", ms: pace.breakerUntilMs },
  ]);
}

/** Permits that may be out beyond the concurrency, so that a fast host need not wait for outcomes to return. */
export function aheadOf(pace: Pace, politeness: Politeness, options: PaceOptions): number {
  // A host in trouble, or one that has not shown how fast it is, gets no more than it was configured for.
  if (pace.failuresInRow > 0 || pace.latencyMs === null) return 0;
  const delayMs = delayOf(pace, politeness, options);
  const perRequestMs = Math.max(delayMs, politeness.intervalMs, pace.latencyMs, 1);
  return Math.min(options.aheadMax, Math.floor(options.aheadMs / perRequestMs));
}

/** Outcomes that speak of the host, not of the page. */
export const hostFailures: ReadonlySet<string> = new Set([...unreachedFailures, "http_429", "http_5xx"]);

/** Moves the pace on by what an outcome says of the host. */
export function learn(pace: Pace, outcome: Outcome, nowMs: number, options: PaceOptions): void {
  if (outcome.endedAtMs !== null) pace.lastEndMs = Math.max(pace.lastEndMs ?? 0, outcome.endedAtMs);
  if (outcome.crawlDelayMs !== null) pace.crawlDelayMs = outcome.crawlDelayMs;
  if (outcome.latencyMs !== null) learnLatency(pace, outcome.latencyMs, options);
  if (outcome.retryAfterMs !== null) {
    const untilMs = (outcome.endedAtMs ?? nowMs) + Math.min(outcome.retryAfterMs, options.retryAfterMaxMs);
    pace.retryAfterUntilMs = Math.max(pace.retryAfterUntilMs, untilMs);
  }
  pace.breaker = outcome.breaker ?? pace.breaker;
  pace.robotsStatus = outcome.robotsStatus ?? pace.robotsStatus;
  pace.robotsReadAtMs = outcome.robotsReadAtMs ?? pace.robotsReadAtMs;
  if (outcome.breakerUntilMs !== null)
    pace.breakerUntilMs = Math.max(pace.breakerUntilMs, outcome.breakerUntilMs);
  if (outcome.requests === 0) return;
  if (hostFailures.has(outcome.category)) {
    pace.failuresInRow += 1;
    const untilMs = (outcome.endedAtMs ?? nowMs) + backOffMs(pace.failuresInRow, outcome.releaseId, options);
    // Outcomes of side-by-side requests come in any order: an earlier end takes nothing back.
    pace.backOffUntilMs = Math.max(pace.backOffUntilMs, untilMs);
  } else if (pace.failuresInRow > 0) {
    // Forgiven slowly: one good answer takes back one failure.
    pace.failuresInRow -= 1;
  }
}

/**
 * A host that answers much slower than it is used to is asked less at once, and more again little by little while it
 * answers as it used to: additive increase, multiplicative decrease of the rate, as networks share a line.
 */
function learnLatency(pace: Pace, sampleMs: number, options: PaceOptions): void {
  const usualMs = pace.usualLatencyMs ?? sampleMs;
  const isSlow = sampleMs > Math.max(usualMs * options.slowFactor, options.slowLatencyMinMs);
  pace.latencyMs = pace.latencyMs === null ? sampleMs : pace.latencyMs * 0.8 + sampleMs * 0.2;
  pace.usualLatencyMs = usualMs + (sampleMs - usualMs) * (sampleMs < usualMs ? 0.5 : 0.02);
  pace.slowdownMs = isSlow
    ? Math.min(options.latencyDelayMaxMs, Math.max(pace.slowdownMs * 2, sampleMs))
    : Math.max(0, pace.slowdownMs - options.slowdownStepMs);
}

/**
 * The operator has said that failures before an instant count no more: what they hold is let go, once. What the host
 * itself has asked for stays.
 */
export function forgive(pace: Pace, beforeMs: number): boolean {
  if (beforeMs <= pace.forgivenMs) return false;
  pace.forgivenMs = beforeMs;
  if ((pace.lastFailureMs ?? 0) > beforeMs) return false;
  Object.assign(pace, {
    failuresInRow: 0,
    backOffUntilMs: 0,
    breakerUntilMs: 0,
    breaker: "closed",
    deadFailures: 0,
    failingSinceMs: null,
    lastFailureMs: null,
    lastFailure: null,
  } satisfies Partial<Pace>);
  return true;
}

/** From when on nothing that is known of the domain matters any more, its longest possible wait included. */
export function forgetAtMs(pace: Pace, options: PaceOptions): number {
  return nextAtMs(pace, Math.max(options.forgetAfterMs, pace.crawlDelayMs ?? 0, pace.configuredMs));
}

/** Exponential, with jitter drawn from the release's id: the same replay waits the same time. */
export function backOffMs(failuresInRow: number, seedText: string, options: PaceOptions): number {
  const fullMs = Math.min(options.backOffBaseMs * 2 ** (failuresInRow - 1), options.backOffMaxMs);
  const fraction =
    createHash("sha256").update(`${seedText}\n${failuresInRow}`).digest().readUInt32BE(0) / 0x1_0000_0000;
  return Math.round(fullMs * (0.5 + fraction / 2));
}

export type Hold = "none" | "retry_after" | "back_off" | "breaker" | "crawl_delay";

/** Why the domain is asked later than configured, the longest reason first. */
export function holdOf(
  pace: Pace,
  configuredMs: number,
  nowMs: number,
): { readonly hold: Hold; readonly untilMs: number | null } {
  const candidates: readonly (readonly [Hold, number])[] = [
    ["breaker", pace.breakerUntilMs],
    ["retry_after", pace.retryAfterUntilMs],
    ["back_off", pace.backOffUntilMs],
  ];
  let longest: readonly [Hold, number] = ["none", nowMs];
  for (const candidate of candidates) if (candidate[1] > longest[1]) longest = candidate;
  if (longest[0] !== "none") return { hold: longest[0], untilMs: longest[1] };
  if ((pace.crawlDelayMs ?? 0) > configuredMs) return { hold: "crawl_delay", untilMs: null };
  return { hold: "none", untilMs: null };
}
