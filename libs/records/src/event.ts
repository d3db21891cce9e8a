import { z } from "zod";
import { jobIdSchema } from "./job.ts";

const base = { job: jobIdSchema, run: z.int().positive(), atMs: z.int() };
const progressFields = {
  totalProcessed: z.int().nonnegative(),
  totalDiscovered: z.int().nonnegative(),
  queueSize: z.int().nonnegative(),
  pendingCount: z.int().nonnegative(),
};
const ended = {
  ...base,
  admitted: z.int().nonnegative(),
  done: z.int().nonnegative(),
  failed: z.int().nonnegative(),
  skipped: z.int().nonnegative(),
  durationMs: z.int().nonnegative(),
};

/** What happens in a job, in the order in which it happened, keyed by the job id. */
export const eventSchema = z.discriminatedUnion("type", [
  z.object({
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
  z.object({
    ...base,
    type: z.literal("url_failed"),
    url: z.string(),
    depth: z.int(),
    category: z.string(),
    detail: z.string().nullable(),
    refused: z.boolean(),
    attempt: z.int(),
    final: z.boolean(),
  }),
  z.object({
    ...base,
    type: z.literal("urls_discovered"),
    url: z.string(),
    count: z.int().nonnegative(),
    admitted: z.int().nonnegative(),
  }),
  z.object({
    ...base,
    type: z.literal("progress"),
    ...progressFields,
    done: z.int(),
    failed: z.int(),
    skipped: z.int(),
  }),
  z.object({
    ...base,
    type: z.literal("time_update"),
    elapsed: z.int(),
    formatted: z.string(),
    ...progressFields,
  }),
  z.object({
    ...ended,
    type: z.literal("job_completed"),
    finishReason: z.enum(["completed", "max_pages", "cancelled"]),
  }),
  z.object({ ...ended, type: z.literal("job_failed"), error: z.string() }),
  z.object({ ...ended, type: z.literal("job_timeout") }),
]);
export type CrawlEvent = z.infer<typeof eventSchema>;
