/** What failed in a job: listed, and asked for again. */
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { failedCategories, type Job, type Result } from "@sluice/records";
import { jobView, jobViewSchema } from "../job-view.ts";
import { failedPage } from "../results-feed.ts";
import { formatResultsPosition } from "../results-position.ts";
import { route } from "../route.ts";
import { jobParams } from "./jobs.ts";
import { runOf, spanOf, type StreamRouteOptions } from "./streams.ts";

const categorySchema = z.enum(failedCategories);

const listQuery = z.strictObject({
  category: categorySchema
    .optional()
    .describe("Only URLs that failed like this, as the field `outcome` of results has it. Without it all."),
  run: z.coerce.number().int().positive().optional().describe("The present run where it is missing."),
  limit: z.coerce.number().int().min(1).max(1000).default(100).describe("Most URLs in the answer."),
  after: z.string().optional().describe("`next` of the page before."),
});

const failureSchema = z.object({
  url: z.string(),
  urlId: z.string(),
  category: z.string(),
  status: z.int().nullable().describe("Of the last try, where an answer came."),
  errorCode: z.string().nullable(),
  errorMessage: z.string().nullable(),
  attempt: z.int().describe("Tries that it took to give it up."),
  depth: z.int(),
  resultId: z.string(),
  fetchedAtMs: z.int(),
  retried: z.boolean().describe("It was asked for again since: what came of that is a result of its own."),
});
const listSchema = z.object({
  failed: z
    .array(failureSchema)
    .describe("As they lie in crawl.results. A page may have fewer than `limit`, or none, before the last."),
  failedBy: z
    .record(z.string(), z.int())
    .nullable()
    .describe(
      "URLs of the present run that failed and are not asked for again, by category, to the last one.",
    ),
  next: z.string().nullable().describe("`after` of the next page; null on the last one."),
  lost: z.int().describe("Records of the run's span that retention has removed, of whatever jobs."),
});

const retrySchema = z.strictObject({
  categories: z
    .array(categorySchema)
    .min(1)
    .default([...failedCategories])
    .describe("Which URLs are asked for again: those that failed like this. Without it all."),
});

type Options = Pick<StreamRouteOptions, "broker" | "layout" | "desk" | "book">;

export function addFailureRoutes(app: FastifyInstance, { broker, layout, desk, book }: Options): void {
  route(
    app,
    {
      method: "GET",
      url: "/v1/jobs/:id/failed",
      summary: "URLs of a run that failed, by category.",
      params: jobParams,
      query: listQuery,
      responses: { 200: { description: "One page of them.", schema: listSchema } },
    },
    async ({ params: { id }, query: { category, run: asked, limit, after } }) => {
      const entry = await desk.find(id);
      const run = asked ?? runOf(entry.job, book);
      const span = await spanOf(broker, layout, entry, run, after);
      const categories = new Set<string>(category === undefined ? failedCategories : [category]);
      const page = await failedPage({ broker, prefix: layout.prefix, job: id, run, span }, categories, limit);
      const isLast = page.next.every((offset, partition) => offset >= (span.end[partition] ?? 0));
      const status = book.status(id);
      return {
        failed: page.failed.map((result) => failureOf(result, entry.job)),
        failedBy: status?.run === run ? (status.failedBy ?? null) : null,
        next: isLast ? null : formatResultsPosition(page.next),
        lost: span.lost,
      };
    },
  );
  route(
    app,
    {
      method: "POST",
      url: "/v1/jobs/:id/retry",
      summary:
        "Ask for failed URLs again, each once. A job that has ended goes on as its next run, with these URLs and what they lead to.",
      params: jobParams,
      body: retrySchema,
      responses: { 202: { description: "Written; it takes effect in a moment.", schema: jobViewSchema } },
    },
    async ({ params: { id }, body: { categories }, reply }) => {
      const { job } = await desk.retry(id, categories);
      return reply.code(202).send(jobView(job, book.status(id)));
    },
  );
}

function failureOf(result: Result, job: Job): z.infer<typeof failureSchema> {
  const { continues = null, asked = {} } = job.retry ?? {};
  const again = asked[result.outcome];
  return {
    url: result.url,
    urlId: result.url_id,
    category: result.outcome,
    status: result.status,
    errorCode: result.error_code,
    errorMessage: result.error_message,
    attempt: result.attempt,
    depth: result.depth,
    resultId: result.result_id,
    fetchedAtMs: result.fetched_at_ms,
    retried:
      again !== undefined &&
      (result.run === job.run ? result.fetched_at_ms < again.atMs : result.run === continues),
  };
}
