/** How long to wait before a crashed consumer is replaced, and when to give up. */
const firstWaitMs = 100;
const waitMsMax = 2_000;
/** Crashes further apart than this have nothing to do with each other. */
const calmMs = 30_000;
const unexplainedMax = 10;

export class Restarts {
  #lastMs = Number.NEGATIVE_INFINITY;
  #waitMs = firstWaitMs;
  #unexplained = 0;

  /**
   * The wait in milliseconds, or null to give up: an outage may last for ever, an error that is neither
   * one of the network nor one the protocol calls retriable may come only so often in a row.
   */
  next(error: Error, nowMs: number): number | null {
    if (nowMs - this.#lastMs > calmMs) {
      this.#waitMs = firstWaitMs;
      this.#unexplained = 0;
    }
    this.#lastMs = nowMs;
    if (!isOutage(error)) this.#unexplained += 1;
    if (this.#unexplained > unexplainedMax) return null;
    const waitMs = this.#waitMs;
    this.#waitMs = Math.min(waitMs * 2, waitMsMax);
    return waitMs;
  }
}

function isOutage(error: Error): boolean {
  for (let link: unknown = error; link instanceof Error; link = link.cause) {
    if (link.name === "KafkaJSNumberOfRetriesExceeded") return true;
    if ((link as { retriable?: boolean }).retriable === true) return true;
  }
  return false;
}
