/** Which outcomes are tried again, and when. Pure: the same question has the same answer everywhere. */
import type { FetchCategory } from "@sluice/records";
import type { FetchAnswer } from "./fetch-answer.ts";

export interface RetryRule {
  readonly retry: boolean;
  /** Before the second attempt; each further one waits twice as long. */
  readonly baseDelayMs: number;
  readonly delayMaxMs: number;
  /** Attempts in all, the first one too, where fewer than the caller's own limit. */
  readonly attemptsMax?: number;
}

/** Attempts in all unless the job says otherwise. */
export const attemptsMaxDefault = 3;

const minuteMs = 60_000;
const never: RetryRule = { retry: false, baseDelayMs: 0, delayMaxMs: 0 };

/**
 * The first wait is short, since a job can't end before its last retry; a host in lasting trouble is slowed
 * down by rate-limit's back-off and by the breaker, whatever the table says.
 */
export const retryRules: Readonly<Record<FetchCategory, RetryRule>> = {
  ok: never,
  redirect: never,
  // But for 408 and 425: the request itself is wrong, and stays so.
  http_4xx: never,
  // A host that is busy says when to come back (Retry-After); this is for one that does not.
  http_429: { retry: true, baseDelayMs: 30_000, delayMaxMs: 30 * minuteMs },
  http_5xx: { retry: true, baseDelayMs: 5_000, delayMaxMs: 10 * minuteMs },
  // A name server that fails now mostly answers a moment later; a name that does not exist costs two more queries.
  dns: { retry: true, baseDelayMs: 5_000, delayMaxMs: 30 * minuteMs },
  connect: { retry: true, baseDelayMs: 5_000, delayMaxMs: 15 * minuteMs },
  // Overloaded hosts cut handshakes, hence once more; a bad certificate is the same minutes later.
  tls: { retry: true, baseDelayMs: 5_000, delayMaxMs: 15 * minuteMs, attemptsMax: 2 },
  timeout_connect: { retry: true, baseDelayMs: 10_000, delayMaxMs: 15 * minuteMs },
  timeout_headers: { retry: true, baseDelayMs: 10_000, delayMaxMs: 15 * minuteMs },
  timeout_body: { retry: true, baseDelayMs: 10_000, delayMaxMs: 15 * minuteMs },
  // Each attempt holds a connection for the whole deadline, hence once more only.
  timeout_total: { retry: true, baseDelayMs: 10_000, delayMaxMs: 15 * minuteMs, attemptsMax: 2 },
  reset: { retry: true, baseDelayMs: 2_000, delayMaxMs: 5 * minuteMs },
  // A proxy that restarts answers garbage for a moment; a server that can't speak HTTP does for ever.
  protocol: { retry: true, baseDelayMs: 5_000, delayMaxMs: 5 * minuteMs, attemptsMax: 2 },
  // The same body would come again, and be paid for again.
  too_large: never,
  // Wrongly labelled bytes are a setting of the server; damaged ones would have been a `reset`.
  decode: never,
  // The page came, and reading it took more time or memory than it may: it would again.
  parse: never,
  // A decision, not an accident: asking again would let a rebinding name server have another try.
  address_refused: never,
  // The caller wanted no answer; whether it asks again is its own affair.
  cancelled: never,
  // Most likely our own fault: once more shows whether it was chance.
  unknown: { retry: true, baseDelayMs: 10_000, delayMaxMs: minuteMs, attemptsMax: 2 },
};

const transient4xx: RetryRule = { retry: true, baseDelayMs: 5_000, delayMaxMs: 10 * minuteMs };

/** RFC 9110 §15.5.9, RFC 8470 §5.2, RFC 6585 §4, RFC 9110 §15.6: statuses that may differ next time. */
const retriedStatuses = new Set([408, 425, 429, 500, 502, 503, 504]);

/** The outcome of a fetch. Statuses above 599 count as 5xx (RFC 9110 §15). */
export function categoryOf(answer: FetchAnswer): FetchCategory {
  if (answer.kind === "failed") return answer.category;
  if (answer.status === 429) return "http_429";
  if (answer.status >= 500) return "http_5xx";
  if (answer.status >= 400) return "http_4xx";
  return answer.status >= 300 ? "redirect" : "ok";
}

/** The rule for an answer; unlike the table alone it knows the statuses that differ from their class. */
export function retryRuleOf(answer: FetchAnswer): RetryRule {
  const category = categoryOf(answer);
  if (answer.kind === "failed") return retryRules[category];
  if (!retriedStatuses.has(answer.status)) return never;
  return category === "http_4xx" ? transient4xx : retryRules[category];
}

/** Is there another attempt after the `attempt`-th one (counted from 1) ended with this answer? */
export function shouldRetry(answer: FetchAnswer, attempt: number, attemptsMax = attemptsMaxDefault): boolean {
  const rule = retryRuleOf(answer);
  return rule.retry && attempt < Math.min(attemptsMax, rule.attemptsMax ?? attemptsMax);
}

/**
 * How long to wait after the `attempt`-th attempt (counted from 1): doubling from the rule's
 * base up to its limit, of which a share between a half and all is taken. The share comes
 * from `seedText` (e.g. the URL's id), so that a replay decides alike and the URLs of a host
 * that was down do not all return at once. `http_4xx` stands for the retried ones, 408 and 425.
 */
export function retryDelayMs(category: FetchCategory, attempt: number, seedText: string): number {
  const rule = category === "http_4xx" ? transient4xx : retryRules[category];
  const fullMs = Math.min(rule.delayMaxMs, rule.baseDelayMs * 2 ** Math.max(0, attempt - 1));
  return Math.round(fullMs * (0.5 + 0.5 * fractionOf(`${seedText}#${attempt}`)));
}

/** FNV-1a over UTF-16 units, then murmur3's finalizer, because FNV leaves its high bits poorly mixed. In [0, 1). */
function fractionOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}
