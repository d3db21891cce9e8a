import { z } from "zod";
import { jobIdSchema } from "./job.ts";
import { sitemapLevelSchema } from "./link.ts";

export const breakerStates = ["closed", "open", "half_open"] as const;
export type BreakerState = (typeof breakerStates)[number];
export const outcomeKinds = ["settled", "retry", "deferred", "expired", "refused"] as const;

/** What became of one release: it gives the credit back to the frontier and moves the domain's clock. */
export const outcomeSchema = z.object({
  releaseId: z.string(),
  job: jobIdSchema,
  run: z.int().positive(),
  urlId: z.string(),
  attempt: z.int().positive(),
  by: z.enum(["fetcher", "rate-limit"]),
  host: z
    .string()
    .optional()
    .describe("Host name of the URL, where the domain is what several have in common."),
  kind: z
    .enum(outcomeKinds)
    .describe(
      "settled: a result was written; retry: a try failed; deferred: not now; expired: past its lease; refused: never.",
    ),
  sitemap: sitemapLevelSchema.optional().describe("What was released is a sitemap: it has no result."),
  errand: z
    .string()
    .optional()
    .describe(
      "It answers no release: the permit of this id leaves for another domain, or was there to ask for robots.txt.",
    ),
  category: z.string().describe("ok, redirect, http_4xx, dns, robots, …: what happened, or why not."),
  ok: z.boolean().describe("With settled: the page was had (2xx, or a redirect)."),
  dueAtMs: z.int().nullable().describe("With retry and deferred: not before this instant."),
  linkRecords: z.int().nonnegative().describe("Records written to crawl.links in the same transaction."),
  links: z.int().nonnegative().describe("URLs in those records."),
  strays: z
    .literal(true)
    .optional()
    .describe("With settled: a page that leads to nothing but other hosts of its domain."),
  requests: z.int().nonnegative().describe("HTTP requests made, robots.txt included."),
  endedAtMs: z.int().nullable().describe("When the last request ended."),
  latencyMs: z.number().nonnegative().nullable().describe("Time to first byte of the page."),
  retryAfterMs: z.int().nonnegative().nullable().describe("What the host asked for by 429 or 503."),
  crawlDelayMs: z.int().nonnegative().nullable().describe("Crawl-delay of robots.txt for us."),
  breakerUntilMs: z.int().nullable().describe("The domain's breaker is open until then."),
  breaker: z.enum(breakerStates).optional().describe("The domain's breaker after the last request."),
  robotsStatus: z.string().optional().describe("What is known of the robots.txt of the URL's origin."),
  robotsReadAtMs: z.int().optional().describe("When it was read."),
  detail: z.string().nullable().describe("The rule, robots line, limit or error code."),
});
export type Outcome = z.infer<typeof outcomeSchema>;
