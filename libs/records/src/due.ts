import { z } from "zod";
import { jobIdSchema, prioritySchema } from "./job.ts";
import { sitemapLevelSchema } from "./link.ts";
import { waitSources } from "./wait-source.ts";

const releaseSchema = z.object({
  releaseId: z.string().describe("Names this release; each outcome answers one."),
  job: jobIdSchema,
  run: z.int().positive(),
  url: z.string(),
  urlId: z.string().describe("Of a sitemap not that of a page at the same URL."),
  depth: z.int().nonnegative(),
  root: z.string().nullable(),
  parent: z.string().nullable(),
  redirects: z.int().nonnegative(),
  attempt: z.int().positive().describe("1 for the first try of this URL."),
  visit: z
    .int()
    .positive()
    .optional()
    .describe("Above 1 where it failed before and was asked for again; part of the result's id."),
  sitemap: sitemapLevelSchema
    .optional()
    .describe("It is a sitemap, to be read for the URLs that it lists; has no result."),
  priority: prioritySchema.optional().describe("0 to 100; 50 where it is not said."),
  releasedAtMs: z.int(),
  leaseUntilMs: z.int().describe("Past this instant nobody may start it; the answer is `expired`."),
});

const slot = {
  notBeforeMs: z.int().describe("Earliest start, by the clock of rate-limit."),
  delayMs: z.int().nonnegative().describe("Wait that holds for the domain now; the fetcher keeps it too."),
  concurrency: z.int().positive().describe("Most requests to the domain at once."),
  intervalMs: z
    .number()
    .nonnegative()
    .default(0)
    .describe("Least time between the starts of two requests to the domain, by a cap per minute; 0: no cap."),
  waitSource: z
    .enum(waitSources)
    .default("delay")
    .describe("What made notBeforeMs as late as it is: the longest of all reasons."),
};

/** On whose behalf another domain is asked for what robots.txt redirects to there. */
const errandSchema = z.object({
  domain: z.string().describe("Domain of the permit, to which it goes back."),
  hops: z.int().positive().describe("Redirects of its robots.txt so far, the one that leads here included."),
  permit: releaseSchema.extend(slot).describe("It waits for the answer, and comes back with it."),
});
export type Errand = z.infer<typeof errandSchema>;

/** What became of an errand. */
const errandAnswerSchema = z.object({
  url: z.string().describe("What was asked for."),
  hops: z.int().positive(),
  said: z.discriminatedUnion("kind", [
    z.object({
      kind: z.literal("response"),
      status: z.int(),
      location: z.string().nullable(),
      body: z.base64().describe("Its lines that are for us; empty but for a 2xx."),
      readAtMs: z.number(),
      retryAfterMs: z.number().nonnegative().nullable(),
    }),
    z.object({
      kind: z.literal("failed"),
      category: z.string(),
      code: z.string().nullable(),
      message: z.string(),
    }),
    z.object({ kind: z.literal("refused"), message: z.string().describe("Why nobody asks there.") }),
    z.object({ kind: z.literal("held"), untilMs: z.number().describe("It was not asked, and may be then.") }),
  ]),
});
export type ErrandAnswer = z.infer<typeof errandAnswerSchema>;

const errand = {
  errand: errandSchema
    .optional()
    .describe("No URL to be crawled, but where robots.txt of another domain redirects to."),
};

/** A URL that the frontier has released: it holds a credit of its domain until an outcome comes back. */
export const dueSchema = releaseSchema.extend(errand);
export type Due = z.infer<typeof dueSchema>;

/** A due URL that may be fetched: rate-limit has given it a slot in time. */
export const permitSchema = releaseSchema.extend({
  ...slot,
  ...errand,
  answer: errandAnswerSchema.optional().describe("It is back from an errand."),
});
export type Permit = z.infer<typeof permitSchema>;
