import type { FetchAnswer } from "@sluice/http";
import type { HostPolicy, Job, WaitSource } from "@sluice/records";
import type { PageFacts, SitemapLinks } from "@sluice/web";

/** What the fetcher's step asks of the world. */
export type FetchCall = AnyFetchCall & {
  /** A breaker that is older than this is forgotten. */
  readonly forgetFailuresBeforeMs: number;
  /** For the audit: what the request has waited for. */
  readonly wait: RequestWait;
};

/** What the politeness of one request was. */
export interface RequestWait {
  readonly job: string;
  /** Wait that was asked for after the request before, and by what. */
  readonly waitMs: number;
  readonly waitSource: WaitSource;
  /** Since the end and the start of the last request to the host by this process; null where there was none. */
  readonly sinceEndMs: number | null;
  readonly sinceStartMs: number | null;
  readonly concurrency: number;
  /** Requests to the host in the last minute by this process, with this one; and how many there may be. */
  readonly perMinute: number;
  readonly perMinuteMax: number | null;
}

type AnyFetchCall =
  | {
      readonly kind: "robots";
      /** Whose breaker it goes through: the host that is asked. */
      readonly domain: string;
      readonly url: string;
      readonly totalTimeoutMs: number;
      /** Names of secrets of the job that wants to know. */
      readonly secrets: readonly string[];
      readonly policy: HostPolicy;
    }
  | {
      readonly kind: "page";
      readonly domain: string;
      readonly url: string;
      /** As the job has it. */
      readonly fetch: Job["fetch"];
      /** What the operator says of the URL's host. */
      readonly policy: HostPolicy;
      /** Names with CSS selectors, where the job wants texts of the page. */
      readonly selectors?: Readonly<Record<string, string>>;
    }
  | {
      readonly kind: "sitemap";
      readonly domain: string;
      readonly url: string;
      readonly fetch: Job["fetch"];
      readonly policy: HostPolicy;
    };

export interface BreakerView {
  readonly state: "closed" | "open" | "half_open";
  readonly retryAtMs: number | null;
}

/** The texts that a job's selectors name. */
export interface Extraction {
  /** With selectors: JSON of name to array of texts. */
  readonly extractedJson: string | null;
  /** What went wrong in reading them, or the page at all. */
  readonly extractionNote: string | null;
}

/** What was read off a page. */
export interface PageContent extends PageFacts, Extraction {
  /** Why nothing of the page was read; null where something was. */
  readonly unreadReason: string | null;
}

/** A response without its body. */
export type Headed = Omit<Extract<FetchAnswer, { kind: "response" }>, "body">;

export type FetchOutcome =
  | {
      readonly kind: "robots";
      readonly answer:
        | {
            readonly kind: "response";
            readonly status: number;
            readonly location: string | null;
            readonly body: Uint8Array;
            readonly retryAfterMs: number | null;
          }
        | Extract<FetchAnswer, { kind: "failed" }>
        | { readonly kind: "breaker_open"; readonly retryAtMs: number };
      readonly breaker: BreakerView;
    }
  | {
      readonly kind: "page";
      readonly answer:
        | Headed
        | Extract<FetchAnswer, { kind: "failed" }>
        | { readonly kind: "breaker_open"; readonly retryAtMs: number };
      /** Where the request left from; null: by default. */
      readonly egress: string | null;
      /** With a 2xx response. */
      readonly content: PageContent | null;
      /** The same, of a sitemap. */
      readonly sitemap?: SitemapLinks | null;
      readonly retryAfterMs: number | null;
      readonly breaker: BreakerView;
    };
