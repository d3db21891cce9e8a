/** How long a server asks us to stay away (RFC 9110 §10.2.3). */
import { httpDateMs } from "./http-date.ts";

/**
 * The wait that a Retry-After header asks for, in milliseconds from `nowMs`; 0 where its date has passed, null where
 * there is no header or it says nothing. Seconds may have decimals, which some servers send. Not capped.
 */
export function retryAfterMs(header: string | null | undefined, nowMs: number): number | null {
  const text = header?.trim();
  if (!text) return null;
  if (/^\d+(?:\.\d+)?$/.test(text)) return Math.min(Math.ceil(Number(text) * 1000), Number.MAX_SAFE_INTEGER);
  const atMs = httpDateMs(text, nowMs);
  return atMs === null ? null : Math.max(0, atMs - nowMs);
}
