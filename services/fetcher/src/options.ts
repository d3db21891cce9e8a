import type { PolitenessKey } from "@sluice/records";

/** What an operator may set of the fetcher's own behaviour. */
export interface FetcherOptions {
  /** What the domain of records is. */
  readonly politenessKey: PolitenessKey;
  /** Permits of one domain taken in at once. */
  readonly permitsMax: number;
  /** A wait beyond this goes back to the frontier. */
  readonly waitMaxMs: number;
  /** Sitemaps that one task fetches at once: each may be as large as the protocol lets it be. */
  readonly sitemapsAtOnce: number;
  readonly robotsTimeoutMs: number;
  /** How long an answer to robots.txt holds (RFC 9309 §2.4: not more than 24 hours). */
  readonly robotsTtlMs: number;
  /** Origins of one domain whose robots.txt is remembered; beyond it those read longest ago are asked for again. */
  readonly originsMax: number;
  /** First wait before a robots.txt that could not be had is asked for again; it doubles. */
  readonly robotsRetryMs: number;
  readonly robotsRetryMaxMs: number;
  /** Longest Retry-After that is believed. */
  readonly retryAfterMaxMs: number;
  /** Domains remembered; beyond it the idle ones are forgotten. */
  readonly hostsMax: number;
  /** A host whose last request took so long is asked without a slot of those that answer sooner. */
  readonly slowAfterMs: number;
  /** A domain is forgotten only after it has been quiet for this long, and for its own delay. */
  readonly forgetAfterMs: number;
}

export const defaultFetcherOptions: FetcherOptions = {
  politenessKey: "host",
  permitsMax: 100,
  waitMaxMs: 60_000,
  sitemapsAtOnce: 2,
  robotsTimeoutMs: 30_000,
  robotsTtlMs: 86_400_000,
  originsMax: 1000,
  robotsRetryMs: 5000,
  robotsRetryMaxMs: 600_000,
  retryAfterMaxMs: 86_400_000,
  hostsMax: 10_000,
  slowAfterMs: 1000,
  forgetAfterMs: 120_000,
};
