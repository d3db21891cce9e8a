import { z } from "zod";
import { breakerStates } from "./outcome.ts";
import { waitSources } from "./wait-source.ts";

export const holdReasons = ["none", "retry_after", "back_off", "breaker", "crawl_delay"] as const;

/** What rate-limit knows of a domain that others may want to see. Compacted under the domain. */
export const hostSchema = z.object({
  domain: z.string(),
  hold: z.enum(holdReasons).describe("Why it is asked later than the configured delay would allow."),
  holdUntilMs: z.int().nullable(),
  delayMs: z.int().nonnegative().describe("Wait between two requests now."),
  delaySource: z.enum(waitSources).default("delay").describe("What makes that wait as long as it is."),
  perMinuteMax: z
    .int()
    .positive()
    .nullable()
    .default(null)
    .describe("Requests in any minute at most; null: no cap."),
  crawlDelayMs: z.int().nonnegative().nullable(),
  failuresInRow: z.int().nonnegative(),
  givenUp: z
    .boolean()
    .default(false)
    .describe("It failed so long that its URLs are refused, but for one probe at a time."),
  givenUpHosts: z
    .array(z.string())
    .default([])
    .describe("Where several host names share the domain: those of them that were given up by themselves."),
  latencyMs: z.number().nonnegative().nullable().default(null).describe("Its time to first byte, smoothed."),
  breaker: z.enum(breakerStates).default("closed"),
  breakerUntilMs: z
    .int()
    .nullable()
    .default(null)
    .describe("With an open breaker: when the next request may go."),
  robotsStatus: z.string().nullable().default(null).describe("What is known of its robots.txt."),
  robotsReadAtMs: z.int().nullable().default(null).describe("When that was read."),
  updatedAtMs: z.int(),
});
export type Host = z.infer<typeof hostSchema>;
