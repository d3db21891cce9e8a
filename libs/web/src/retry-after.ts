/** How long a server asks us to stay away (RFC 9110 §10.2.3). */
import { httpDateMs } from "./http-date.ts";

/** Between two values, as when a proxy adds one of its own; within a date a comma has the day behind it. */
const separator = /,(?!\s*\d\d[\s-])/;

/**
 * The wait that a Retry-After header asks for, in milliseconds from `nowMs`; 0 where its date has passed, null where
 * there is no header or it says nothing. Of several the longest counts. Seconds may have decimals, which some servers
 * send. Not capped.
 */
export function retryAfterMs(header: string | null | undefined, nowMs: number): number | null {
  const waits = (header ?? "").split(separator).map((value) => waitOf(value.trim(), nowMs));
  return waits.reduce((longest, wait) => (wait === null ? longest : Math.max(longest ?? 0, wait)), null);
}

function waitOf(text: string, nowMs: number): number | null {
  if (/^\d+(?:\.\d+)?$/.test(text)) return Math.min(Math.ceil(Number(text) * 1000), Number.MAX_SAFE_INTEGER);
  const atMs = httpDateMs(text, nowMs);
  return atMs === null ? null : Math.max(0, atMs - nowMs);
}
