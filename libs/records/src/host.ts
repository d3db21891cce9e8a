import { z } from "zod";

export const holdReasons = ["none", "retry_after", "back_off", "breaker", "crawl_delay"] as const;

/** What rate-limit knows of a domain that others may want to see. Compacted under the domain. */
export const hostSchema = z.object({
  domain: z.string(),
  hold: z.enum(holdReasons).describe("Why it is asked later than the configured delay would allow."),
  holdUntilMs: z.int().nullable(),
  delayMs: z.int().nonnegative().describe("Wait between two requests now."),
  crawlDelayMs: z.int().nonnegative().nullable(),
  failuresInRow: z.int().nonnegative(),
  updatedAtMs: z.int(),
});
export type Host = z.infer<typeof hostSchema>;
