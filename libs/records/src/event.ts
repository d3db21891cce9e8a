import { z } from "zod";
import { jobIdSchema } from "./job.ts";

const count = z.int().nonnegative();
const base = {
  job: jobIdSchema,
  run: z.int().positive(),
  atMs: z.int().describe("When, epoch milliseconds."),
};
const page = { url: z.string().describe("Canonical URL."), depth: count.describe("Links from a seed.") };
const progressFields = {
  totalProcessed: count.describe("URLs with a result: done and failed."),
  totalDiscovered: count.describe("URLs admitted."),
  queueSize: count.describe("Of those admitted the ones that wait."),
  pendingCount: count.describe("Of those admitted the ones released and not answered."),
};
const ended = {
  ...base,
  admitted: count,
  done: count,
  failed: count,
  skipped: count,
  durationMs: count,
};

/** Every event of a job by its type. */
export const eventSchemas = {
  url_started: z
    .object({
      ...base,
      type: z.literal("url_started"),
      ...page,
      attempt: z.int().positive().describe("1 for the first try of this URL."),
    })
    .describe("The request for the page begins. It lies in the topic before what becomes of the URL."),
  url_crawled: z.object({
    ...base,
    type: z.literal("url_crawled"),
    url: z.string(),
    status: z.int().nullable(),
    depth: z.int(),
    outcome: z.string(),
    title: z.string().nullable(),
    durationMs: z.number().nullable(),
    note: z.string().optional().describe("What went wrong in reading texts off the page."),
  }),
  urls_discovered: z.object({
    ...base,
    type: z.literal("urls_discovered"),
    url: z.string(),
    count,
    admitted: count,
  }),
  url_failed: z.object({
    ...base,
    type: z.literal("url_failed"),
    url: z.string(),
    depth: z.int(),
    category: z.string(),
    detail: z.string().nullable(),
    refused: z.boolean(),
    attempt: z.int(),
    final: z.boolean(),
    robotsStatus: z.string().optional().describe("With a refusal by robots.txt: parsed, or unreachable."),
    robotsRule: z.string().nullable().optional().describe("The line of it that decided."),
    robotsLine: z.int().nullable().optional().describe("Its number."),
    robotsAgeMs: count.nullable().optional().describe("How long before it was read."),
    sitemap: count.optional().describe("It is a sitemap: how many lead to it, itself included."),
  }),
  sitemap_read: z
    .object({
      ...base,
      type: z.literal("sitemap_read"),
      url: z.string(),
      level: count.describe("How many sitemaps lead to it, itself included."),
      status: z.int().nullable(),
      outcome: z.string().describe("As of a page: ok, redirect, http_4xx, dns, …"),
      format: z
        .enum(["urlset", "index", "rss", "atom", "text", "unknown"])
        .nullable()
        .describe("What the file is; null where none was had."),
      urls: count.describe("Pages that it lists, each once."),
      admitted: count.describe("Of these, those announced to the frontier."),
      sitemaps: count.describe("Further sitemaps that it lists, each once."),
      sitemapsAdmitted: count.describe("Of these, those announced to the frontier."),
      refused: count.describe("What it lists and was not announced."),
      refusedFor: z
        .string()
        .nullable()
        .describe("Why, with how many: `scope_host 3, invalid_url 1`; null where nothing was refused."),
      note: z.string().nullable().describe("Why the rest of it was not read, or what failed."),
    })
    .describe("A sitemap has come to its end: read, or not to be had. It has no result."),
  sent_to_processing: z
    .object({
      ...base,
      type: z.literal("sent_to_processing"),
      ...page,
      resultId: z.string().describe("`result_id` of the record."),
    })
    .describe(
      "The result is in crawl.results for whoever processes it: written in the same transaction, so who sees this event can read that record.",
    ),
  progress: z.object({
    ...base,
    type: z.literal("progress"),
    ...progressFields,
    done: count,
    failed: count,
    skipped: count,
  }),
  time_update: z.object({
    ...base,
    type: z.literal("time_update"),
    elapsed: count.describe("Whole seconds since the run began."),
    formatted: z.string().describe("The same as minutes and two digits of seconds: `0:05`, `61:09`."),
    ...progressFields,
  }),
  job_completed: z.object({
    ...ended,
    type: z.literal("job_completed"),
    finishReason: z.enum(["completed", "max_pages", "cancelled"]),
  }),
  job_failed: z.object({ ...ended, type: z.literal("job_failed"), error: z.string() }),
  job_timeout: z.object({ ...ended, type: z.literal("job_timeout") }),
};

/** What happens in a job, in the order in which it happened, keyed by the job id. */
export const eventSchema = z.discriminatedUnion("type", [
  eventSchemas.url_started,
  eventSchemas.url_crawled,
  eventSchemas.urls_discovered,
  eventSchemas.url_failed,
  eventSchemas.sitemap_read,
  eventSchemas.sent_to_processing,
  eventSchemas.progress,
  eventSchemas.time_update,
  eventSchemas.job_completed,
  eventSchemas.job_failed,
  eventSchemas.job_timeout,
]);
export type CrawlEvent = z.infer<typeof eventSchema>;
