/** What is read as it comes: events of a job, and its results. */
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { partitionOf, type Job, type TopicLayout } from "@sluice/records";
import type { Broker, Clock } from "@sluice/runtime";
import { eventFeed } from "../event-feed.ts";
import type { EventHub } from "../event-hub.ts";
import { parsePosition, type EventPosition } from "../event-position.ts";
import type { JobBook } from "../job-book.ts";
import type { JobDesk } from "../job-desk.ts";
import { hasEnded } from "../job-view.ts";
import { fieldProblem } from "../problem.ts";
import { resultsFeed } from "../results-feed.ts";
import { route } from "../route.ts";
import { planStream } from "../stream-plan.ts";
import type { StreamSlots } from "../stream-slots.ts";
import { jobParams } from "./jobs.ts";

export interface StreamRouteOptions {
  readonly broker: Broker;
  readonly clock: Clock;
  readonly layout: TopicLayout;
  readonly desk: JobDesk;
  readonly book: JobBook;
  readonly hub: EventHub;
  readonly slots: StreamSlots;
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
});

export function addStreamRoutes(app: FastifyInstance, options: StreamRouteOptions): void {
  const { broker, layout, desk, slots } = options;
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
        const release = slots.take();
        try {
          const stream = await openEvents(
            options,
            (await desk.find(id)).job,
            headers[lastIdName] ?? "",
            release,
          );
          if (stream === null) {
            release();
            return reply.code(204).send();
          }
          return reply
            .type(eventStream)
            .header("cache-control", "no-store")
            .header("x-accel-buffering", "no")
            .send(stream);
        } catch (error) {
          release();
          throw error;
        }
      },
    );
  }
  route(
    app,
    {
      method: "GET",
      url: "/v1/jobs/:id/results",
      summary: "Results that a run of the job has by now, one JSON object a line.",
      params: jobParams,
      query: resultQuery,
      responses: { 200: { description: "Records of crawl.results.", contentType: jsonLines } },
    },
    async ({ params: { id }, query, reply }) => {
      const onClosed = slots.take();
      try {
        const { job } = await desk.find(id);
        const run = query.run ?? runOf(job, options.book);
        return reply
          .type(jsonLines)
          .send(await resultsFeed({ broker, prefix: layout.prefix, job: id, run, onClosed }));
      } catch (error) {
        onClosed();
        throw error;
      }
    },
  );
}

/** Null where there is nothing more to come. @throws Problem 400 */
async function openEvents(
  { broker, clock, layout, book, hub }: StreamRouteOptions,
  job: Job,
  lastId: string,
  onClosed: () => void,
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
  return eventFeed({ broker, hub, clock, job: job.id, partition, plan, onClosed });
}

function lastPosition(text: string, partition: number): EventPosition | null {
  if (text === "") return null;
  const position = parsePosition(text);
  if (position?.partition === partition) return position;
  throw fieldProblem(400, "Last-Event-ID", "is not the id of an event of this job");
}

/** The owner may be ahead of the record that was read. */
function runOf(job: Job, book: JobBook): number {
  return Math.max(job.run, book.status(job.id)?.run ?? 0);
}
