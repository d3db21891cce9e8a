/** How many requests a domain may be asked for now. */
import { isDead } from "./dead-host.ts";
import type { Domain } from "./domains.ts";
import { aheadOf, startOf, type Politeness } from "./pace.ts";
import type { PaceOptions } from "../options.ts";
import type { WaitSource } from "@sluice/records";

export interface RateAnswer {
  /** Requests that may go, of those asked for; 0: none now. */
  readonly granted: number;
  /** Earliest start of the first of them, or of the next one where none may go; each further one later by the interval. */
  readonly startAtMs: number;
  readonly intervalMs: number;
  readonly source: WaitSource;
  /** Why none may go: its time has not come, or as many are out as may be. */
  readonly refusal: "early" | "out" | null;
}

/** Asks for several requests at once. Nothing changes: what is used is taken by `takeTokens`. */
export function checkRate(
  domain: Domain,
  batch: number,
  politeness: Politeness,
  nowMs: number,
  options: PaceOptions,
): RateAnswer {
  const { source, ms: startAtMs } = startOf(domain.pace, politeness, options);
  const answer = { startAtMs, intervalMs: politeness.intervalMs, source };
  // After a back-off one asks whether the host lives again; who comes meanwhile waits for the answer.
  const width = isDead(domain.pace, options)
    ? 1
    : politeness.concurrencyPerHost + aheadOf(domain.pace, politeness, options);
  const free = width - domain.out.size;
  if (free <= 0) return { ...answer, granted: 0, refusal: "out" };
  if (startAtMs > nowMs + options.leadMs) return { ...answer, granted: 0, refusal: "early" };
  return { ...answer, granted: Math.min(batch, free), refusal: null };
}

/** Takes tokens for requests from `startAtMs` on; never more than the cap has for any minute. */
export function takeTokens(domain: Domain, count: number, startAtMs: number, politeness: Politeness): void {
  if (politeness.intervalMs === 0) return;
  domain.pace.tokenAtMs = Math.max(domain.pace.tokenAtMs, startAtMs) + count * politeness.intervalMs;
}
