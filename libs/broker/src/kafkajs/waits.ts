/** Waiting with an end: deadlines, and retries of errors that pass. */
import { setTimeout as delay } from "node:timers/promises";
import { isPassing } from "./failures.ts";

/** Rejects when `work` has not settled by then; the work itself is not stopped. */
export async function within<T>(limitMs: number, what: string, work: Promise<T>): Promise<T> {
  const limit = new AbortController();
  const expired = delay(limitMs, undefined, { signal: limit.signal, ref: false }).then(() => {
    throw new Error(`${what} took longer than ${limitMs} ms`);
  });
  try {
    return await Promise.race([work, expired]);
  } finally {
    limit.abort();
    expired.catch(() => undefined);
  }
}

export interface Retries {
  readonly firstDelayMs: number;
  readonly delayMsMax: number;
  readonly limitMs: number;
}

/** Tries again while the error is one that passes by itself, until `limitMs` is over. */
export async function retrying<T>(retries: Retries, work: () => Promise<T>): Promise<T> {
  const deadlineMs = performance.now() + retries.limitMs;
  for (let delayMs = retries.firstDelayMs; ; delayMs = Math.min(delayMs * 1.2, retries.delayMsMax)) {
    try {
      return await work();
    } catch (error) {
      if (!isPassing(error) || performance.now() + delayMs > deadlineMs) throw error;
    }
    await delay(delayMs);
  }
}
