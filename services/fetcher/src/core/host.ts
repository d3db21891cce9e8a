import type { BreakerState, Permit } from "@sluice/records";
import type { Promptness } from "@sluice/topology";
import type { Robots } from "@sluice/web";
import { MinuteCount } from "./minute-count.ts";

export type HoldReason = "retry_after" | "breaker";

/** A permit that the step has taken in and not answered yet. */
export interface QueuedPermit {
  readonly recordId: string;
  readonly permit: Permit;
  readonly receivedAtMs: number;
}

/** What is known of the robots.txt of one origin. */
export type RobotsEntry =
  | {
      readonly kind: "known";
      readonly robots: Robots | null;
      /** `parsed`, or `allow_all` for a 4xx. */
      readonly status: string;
      readonly readAtMs: number;
      readonly expiresAtMs: number;
    }
  /** 5xx, 429 or no answer: nothing may be fetched until it is asked again (RFC 9309 §2.3.1.4). */
  | {
      readonly kind: "unreachable";
      readonly category: string;
      readonly code: string | null;
      readonly message: string;
      readonly untilMs: number;
      readonly failures: number;
    }
  /** A redirect to follow, with the number of hops so far. */
  | { readonly kind: "redirected"; readonly url: string; readonly hops: number; readonly failures: number };

export interface RunningCall {
  readonly kind: "robots" | "page" | "sitemap";
  /** What is asked for. */
  readonly url: string;
  readonly origin: string;
  readonly job: string;
  /** For a page, a sitemap or an errand: whose permit it is. */
  readonly queued: QueuedPermit | null;
  /** Requests made before it for the same permit, i.e. for robots.txt. */
  readonly askedAtMs: number;
  /** When it began; null while it waits for that. */
  startedAtMs: number | null;
}

/** One domain as the fetcher that owns it sees it. Not durable: a new owner starts with a full wait. */
export class Host {
  readonly domain: string;
  /** Start and end of the last request by our own clock; null where we have made none. */
  lastStartMs: number | null = null;
  lastEndMs: number | null = null;
  /** Nothing is asked before these. */
  readonly holds: Record<HoldReason, number> = { retry_after: 0, breaker: 0 };
  breaker: BreakerState = "closed";
  /** Failures before this instant count no more, by the operator's word. */
  forgivenMs = 0;
  /** By origin, where its robots.txt asks for one. */
  readonly crawlDelays = new Map<string, number>();
  /** Longest delay that a permit or robots.txt asked for. */
  delayMaxMs = 0;
  readonly queue: QueuedPermit[] = [];
  readonly running = new Map<string, RunningCall>();
  /** By origin: until when a permit that asks another domain for its robots.txt is there at the longest. */
  readonly away = new Map<string, number>();
  /** Calls asked for that have not begun. */
  readonly unbegun = new Set<string>();
  /** Those of them that were taken back, because the host asked to be left alone meanwhile. */
  readonly withdrawn = new Set<string>();
  /** Requests under way that were aborted because the operator has blocked the host. */
  readonly ended = new Set<string>();
  readonly robots = new Map<string, RobotsEntry>();
  /** By origin, the run of a job to which its sitemaps were announced last: others are told again, which is harmless. */
  readonly sitemapsTold = new Map<string, string>();
  /** Requests for robots.txt since the last page of this domain was answered; told with the next outcome. */
  robotsRequests = 0;
  calls = 0;
  /** As the last request to it was answered. */
  promptness: Promptness = "unknown";
  /** Requests in the last minute. */
  readonly minute = new MinuteCount();

  constructor(domain: string) {
    this.domain = domain;
  }

  /** The longest of its origins'. */
  get crawlDelayMs(): number | null {
    let longest: number | null = null;
    for (const each of this.crawlDelays.values()) longest = Math.max(longest ?? 0, each);
    return longest;
  }

  /** What is known of an origin's robots.txt; of more than `originsMax` the one learnt longest ago is forgotten. */
  keepRobots(origin: string, entry: RobotsEntry, originsMax: number): void {
    this.robots.delete(origin);
    this.robots.set(origin, entry);
    for (const [oldest] of this.robots) {
      if (this.robots.size <= originsMax) break;
      this.robots.delete(oldest);
      this.crawlDelays.delete(oldest);
    }
  }

  keepCrawlDelay(origin: string, delayMs: number | null): void {
    if (delayMs === null) this.crawlDelays.delete(origin);
    else this.crawlDelays.set(origin, delayMs);
  }

  get holdUntilMs(): number {
    return Math.max(this.holds.retry_after, this.holds.breaker);
  }

  get holdReason(): HoldReason {
    return this.holds.breaker > this.holds.retry_after ? "breaker" : "retry_after";
  }
}
