/** What is read as it comes: events of a job, and its results. */
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { partitionOf, topics, type Job, type TopicLayout } from "@sluice/records";
import type { Broker, Clock } from "@sluice/runtime";
import type { Metrics } from "@sluice/telemetry";
import { eventFeed } from "../event-feed.ts";
import type { EventHub } from "../event-hub.ts";
import { parsePosition, type EventPosition } from "../event-position.ts";
import type { JobBook, JobEntry } from "../job-book.ts";
import type { JobDesk } from "../job-desk.ts";
import { hasEnded } from "../job-view.ts";
import { fieldProblem } from "../problem.ts";
import { resultsFeed, resultsPage } from "../results-feed.ts";
import {
  formatResultsPosition,
  parseResultsPosition,
  spanAfter,
  spanSince,
  type ResultsSpan,
} from "../results-position.ts";
import { route } from "../route.ts";
import { planStream } from "../stream-plan.ts";
import type { StreamEnd, StreamSlots } from "../stream-slots.ts";
import { jobParams } from "./jobs.ts";

export interface StreamRouteOptions {
  readonly broker: Broker;
  readonly clock: Clock;
  readonly layout: TopicLayout;
  readonly desk: JobDesk;
  readonly book: JobBook;
  readonly hub: EventHub;
  readonly slots: StreamSlots;
  readonly metrics: Metrics;
}

const eventStream = "text/event-stream";
const jsonLines = "application/x-ndjson";
const lastIdName = "last-event-id";
const eventHeaders = z.object({
  [lastIdName]: z
    .string()
    .optional()
    .describe(
      "`id` of the last event got, `<partition>:<offset>`: the stream goes on right after it, on any replica.",
    ),
});
const resultQuery = z.strictObject({
  run: z.coerce.number().int().positive().optional().describe("The present run where it is missing."),
  after: z
    .string()
    .optional()
    .describe(
      "Only results behind this position, as the link `next` of an earlier answer has it. Without it all that the run has, from where the topic stood when it was submitted.",
    ),
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(10_000)
    .optional()
    .describe("Most results in the answer; fewer where they are large. Without it all there are by now."),
});
const resultHeaders =
  "Records of crawl.results. Header `link` names as `next` where results that come later, or the rest, can be asked for; it is missing where there will be none. Header `sluice-lost-records` says how many records behind `after` retention has removed, of whatever jobs.";

export function addStreamRoutes(app: FastifyInstance, options: StreamRouteOptions): void {
  const { desk, slots } = options;
  for (const url of ["/v1/jobs/:id/events", "/jobs/:id/stream"]) {
    route(
      app,
      {
        method: "GET",
        url,
        summary: "Events of the job's present run, from its first one, until its last one.",
        params: jobParams,
        headers: eventHeaders,
        responses: {
          200: {
            description: "Server-sent events; `docs/reference/events.md` has each.",
            contentType: eventStream,
          },
          204: { description: "The run has ended and the client has got all of it." },
        },
      },
      async ({ params: { id }, headers, reply }) => {
        const release = slots.take("events");
        try {
          const { job } = await desk.find(id);
          const stream = await openEvents(options, job, headers[lastIdName] ?? "", release);
          if (stream === null) {
            release(null);
            return reply.code(204).send();
          }
          return reply
            .type(eventStream)
            .header("cache-control", "no-store")
            .header("x-accel-buffering", "no")
            .send(stream);
        } catch (error) {
          release(null);
          throw error;
        }
      },
    );
  }
  addResultsRoute(app, options);
}

function addResultsRoute(
  app: FastifyInstance,
  { broker, book, desk, layout, slots }: StreamRouteOptions,
): void {
  route(
    app,
    {
      method: "GET",
      url: "/v1/jobs/:id/results",
      summary: "Results that a run of the job has by now, one JSON object a line.",
      params: jobParams,
      query: resultQuery,
      responses: { 200: { description: resultHeaders, contentType: jsonLines } },
    },
    async ({ params: { id }, query: { run: asked, after, limit }, reply }) => {
      const release = slots.take("results");
      try {
        const entry = await desk.find(id);
        const run = asked ?? runOf(entry.job, book);
        // Before the topic is looked at: what is written before an end is in what is then there.
        const isComplete = run < entry.job.run || hasEnded({ ...entry.job, run }, book.status(id));
        const span = await spanOf(broker, layout, entry, run, after);
        const feed = { broker, prefix: layout.prefix, job: id, run, span };
        const page = limit === undefined ? null : await resultsPage(feed, limit);
        const next = page?.next ?? span.end;
        if (!isComplete || next.some((offset, partition) => offset < (span.end[partition] ?? 0)))
          reply.header(
            "link",
            `</v1/jobs/${id}/results?run=${run}&after=${formatResultsPosition(next)}${limit === undefined ? "" : `&limit=${limit}`}>; rel="next"`,
          );
        if (span.lost > 0) reply.header("sluice-lost-records", span.lost);
        reply.type(jsonLines);
        if (page === null) return reply.send(resultsFeed(feed, release));
        release("complete");
        return reply.send(page.lines);
      } catch (error) {
        release("failed");
        throw error;
      }
    },
  );
}

/** @throws Problem 400 */
export async function spanOf(
  broker: Broker,
  layout: TopicLayout,
  { resultsFrom }: JobEntry,
  run: number,
  after: string | undefined,
): Promise<ResultsSpan> {
  const marks = await broker.admin.watermarks(layout.prefix + topics.results.name);
  if (after === undefined) return spanSince(resultsFrom?.run === run ? resultsFrom.offsets : null, marks);
  const position = parseResultsPosition(after, marks.length);
  const span = position === null ? null : spanAfter(position, marks);
  if (span === null) throw fieldProblem(400, "after", "is no position in the results");
  return span;
}

/** Null where there is nothing more to come. @throws Problem 400 */
async function openEvents(
  { broker, clock, layout, book, hub, metrics }: StreamRouteOptions,
  job: Job,
  lastId: string,
  onClosed: (end: StreamEnd) => void,
): Promise<ReadableStream<string> | null> {
  const partition = partitionOf(job.id, layout.partitions);
  const plan = await planStream(broker, {
    job: job.id,
    topic: hub.topic,
    partition,
    run: runOf(job, book),
    ended: hasEnded(job, book.status(job.id)),
    after: lastPosition(lastId, partition),
  });
  if (plan.kind === "finished") return null;
  const onEvent = (): void => metrics.add("sluice_api_streamed_events_total", 1);
  return eventFeed({ broker, hub, clock, job: job.id, partition, plan, onClosed, onEvent });
}

function lastPosition(text: string, partition: number): EventPosition | null {
  if (text === "") return null;
  const position = parsePosition(text);
  if (position?.partition === partition) return position;
  throw fieldProblem(400, "Last-Event-ID", "is not the id of an event of this job");
}

/** The owner may be ahead of the record that was read. */
export function runOf(job: Job, book: JobBook): number {
  return Math.max(job.run, book.status(job.id)?.run ?? 0);
}
