/** Jobs: submit, look at, pause, resume, cancel, remove. */
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { jobIdSchema, type Job } from "@sluice/records";
import type { JobBook } from "../job-book.ts";
import type { JobDesk } from "../job-desk.ts";
import { jobListSchema, jobRow, jobView, jobViewSchema, submittedSchema } from "../job-view.ts";
import { fieldProblem } from "../problem.ts";
import { route, type RouteInput } from "../route.ts";
import {
  batchSchema,
  batchSubmission,
  checkMeaning,
  submissionSchema,
  type Submission,
} from "../submission.ts";

export const jobParams = z.object({ id: jobIdSchema });

const keyName = "idempotency-key";
const submitHeaders = z.object({
  [keyName]: z
    .string()
    .regex(/^[\x21-\x7e]{1,255}$/, "1 to 255 printable characters")
    .optional()
    .describe("Asked again with the same key and body, the same answer comes and no second job."),
});
const submitAnswers = {
  200: { description: "Submitted before with this Idempotency-Key.", schema: submittedSchema },
  201: { description: "Submitted.", schema: submittedSchema },
};
const listQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(1000).default(100).describe("Most jobs in the answer."),
  after: jobIdSchema.optional().describe("Only jobs whose ids come after this one."),
});

const orders: readonly {
  readonly verb: string;
  readonly desired: Job["desired"];
  readonly summary: string;
}[] = [
  { verb: "pause", desired: "paused", summary: "Fetch nothing more until it is resumed." },
  { verb: "resume", desired: "running", summary: "Go on with a paused job." },
  { verb: "cancel", desired: "cancelled", summary: "Give up what waits and end the job." },
];

export interface JobRoutesOptions {
  readonly desk: JobDesk;
  readonly book: JobBook;
  /** Jobs are taken that are not distributed. */
  readonly isDirect: boolean;
  /** A job was removed because somebody asked for it. */
  readonly onRemoved: () => void;
}

export function addJobRoutes(
  app: FastifyInstance,
  { desk, book, isDirect, onRemoved }: JobRoutesOptions,
): void {
  type Input = Pick<RouteInput<object, object, unknown, z.infer<typeof submitHeaders>>, "headers" | "reply">;
  const submit = async (submission: Submission, { headers, reply }: Input) => {
    if (!submission.distributed && !isDirect)
      throw fieldProblem(422, "distributed", "this API runs no crawls itself (SLUICE_API_DIRECT)");
    const { isNew, answer } = await desk.submit(submission, headers[keyName] ?? null);
    return reply
      .code(isNew ? 201 : 200)
      .header("location", answer.links.self)
      .send(answer);
  };
  route(
    app,
    {
      method: "POST",
      url: "/v1/jobs",
      summary: "Submit a job. One of the same id that has ended is crawled anew, as its next run.",
      headers: submitHeaders,
      body: submissionSchema,
      responses: submitAnswers,
    },
    async (input) => {
      checkMeaning(input.body, "seeds");
      return submit(input.body, input);
    },
  );
  route(
    app,
    {
      method: "POST",
      url: "/api/crawl/batch",
      summary: "Fetch a list of URLs, following no links.",
      headers: submitHeaders,
      body: batchSchema,
      responses: submitAnswers,
    },
    async (input) => {
      const submission = batchSubmission(input.body);
      checkMeaning(submission, "urls");
      return submit(submission, input);
    },
  );
  route(
    app,
    {
      method: "GET",
      url: "/v1/jobs",
      summary: "All jobs, in the order of their ids.",
      query: listQuery,
      responses: { 200: { description: "One page of jobs.", schema: jobListSchema } },
    },
    async ({ query: { limit, after } }) => {
      await desk.refresh();
      const ids = book.ids().filter((id) => after === undefined || id > after);
      const page = ids.slice(0, limit);
      const entries = page.map((id) => book.entry(id)).filter((entry) => entry !== undefined);
      return {
        jobs: entries.map(({ job }) => jobRow(job, book.status(job.id))),
        next: ids.length > page.length ? (page.at(-1) ?? null) : null,
      };
    },
  );
  route(
    app,
    {
      method: "GET",
      url: "/v1/jobs/:id",
      summary: "A job: its record, its state and its figures.",
      params: jobParams,
      responses: { 200: { description: "The job.", schema: jobViewSchema } },
    },
    async ({ params: { id } }) => jobView((await desk.find(id)).job, book.status(id)),
  );
  route(
    app,
    {
      method: "DELETE",
      url: "/v1/jobs/:id",
      summary:
        "Remove a job that has ended, with all that is kept of it but its results. A job of the same id is then a new one, whose runs begin at 1.",
      params: jobParams,
      responses: { 204: { description: "Removed; what was kept goes in a moment." } },
    },
    async ({ params: { id }, reply }) => {
      await desk.remove(id);
      onRemoved();
      return reply.code(204).send();
    },
  );
  for (const { verb, desired, summary } of orders) {
    route(
      app,
      {
        method: "POST",
        url: `/v1/jobs/:id/${verb}`,
        summary,
        params: jobParams,
        responses: { 202: { description: "Written; it takes effect in a moment.", schema: jobViewSchema } },
      },
      async ({ params: { id }, reply }) => {
        const { job } = await desk.want(id, desired);
        return reply.code(202).send(jobView(job, book.status(id)));
      },
    );
  }
}
