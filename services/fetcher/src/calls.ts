import type { FetchAnswer } from "@sluice/http";
import type { PageFacts } from "@sluice/web";

/** What the fetcher's step asks of the world. */
export type FetchCall =
  | {
      readonly kind: "robots";
      readonly domain: string;
      readonly url: string;
      readonly totalTimeoutMs: number;
    }
  | {
      readonly kind: "page";
      readonly domain: string;
      readonly url: string;
      readonly totalTimeoutMs: number;
      readonly bodyBytesMax: number;
      /** Names with CSS selectors, where the job wants texts of the page. */
      readonly selectors?: Readonly<Record<string, string>>;
    };

export interface BreakerView {
  readonly state: "closed" | "open" | "half_open";
  readonly retryAtMs: number | null;
}

/** What was read off a page, and the texts that the job's selectors name. */
export interface PageContent extends PageFacts {
  /** With selectors: JSON of name to array of texts. */
  readonly extractedJson: string | null;
  /** What went wrong in reading them. */
  readonly extractionNote: string | null;
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
      /** With a 2xx response. */
      readonly content: PageContent | null;
      readonly retryAfterMs: number | null;
      readonly breaker: BreakerView;
    };
