/** What an operator may set of the pace. */
export interface PaceOptions {
  /** A wait beyond this goes back to the frontier as `deferred`, with its due time. */
  readonly waitMaxMs: number;
  /** First back-off after a failure; it doubles with each further one in a row. */
  readonly backOffBaseMs: number;
  readonly backOffMaxMs: number;
  /** Longest Retry-After that is believed. */
  readonly retryAfterMaxMs: number;
  /** A permit is issued this long before its instant, so that the way to the fetcher costs no pace. */
  readonly leadMs: number;
  /** Permits may run ahead of the outcomes by about this much time of a domain's own pace. */
  readonly aheadMs: number;
  readonly aheadMax: number;
  /** The delay grows to this many times the host's own latency. 0: it does not follow the latency. */
  readonly latencyFactor: number;
  readonly latencyDelayMaxMs: number;
  /** An answer is slow when it took this many times what the host is used to, and longer than the least. */
  readonly slowFactor: number;
  readonly slowLatencyMinMs: number;
  /** Each answer that is not slow takes back this much of the wait that slow ones have added. */
  readonly slowdownStepMs: number;
  /** An outcome that has not come so long after the permit's lease was over is lost: its place is free again. */
  readonly outcomeMaxMs: number;
  /** A domain with nothing waiting and nothing out is forgotten after this: what it taught no longer holds. */
  readonly forgetAfterMs: number;
  /**
   * A host that has failed this often in a row, over at least `deadAfterMs`, is given up: its URLs are refused
   * but for one probe a back-off, until it answers.
   */
  readonly deadAfterFailures: number;
  /** Host names of one domain that fail now, of which that is remembered. */
  readonly failingHostsMax: number;
  readonly deadAfterMs: number;
}

export const defaultPaceOptions: PaceOptions = {
  waitMaxMs: 60_000,
  backOffBaseMs: 1000,
  backOffMaxMs: 300_000,
  retryAfterMaxMs: 86_400_000,
  leadMs: 150,
  aheadMs: 250,
  aheadMax: 32,
  latencyFactor: 1,
  latencyDelayMaxMs: 10_000,
  slowFactor: 2,
  slowLatencyMinMs: 500,
  slowdownStepMs: 250,
  outcomeMaxMs: 600_000,
  forgetAfterMs: 6 * 3_600_000,
  deadAfterFailures: 10,
  failingHostsMax: 64,
  deadAfterMs: 600_000,
};
