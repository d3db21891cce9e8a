/** The API: stateless, so that any replica gives any answer. What it knows it folds from topics. */
import Fastify, { type FastifyError, type FastifyInstance, type FastifyReply } from "fastify";
import { messageOf } from "@sluice/errors";
import { topics, type TopicLayout } from "@sluice/records";
import type { Batch, Broker, Clock } from "@sluice/runtime";
import type { Metrics } from "@sluice/telemetry";
import { guardAccess } from "./access.ts";
import { DirectCrawls, type DirectCrawlsOptions } from "./direct-crawls.ts";
import { EventHub } from "./event-hub.ts";
import { Follower } from "./follower.ts";
import { JobBook } from "./job-book.ts";
import { JobDesk } from "./job-desk.ts";
import { JobExpiry } from "./job-expiry.ts";
import { joinMetrics } from "./metrics-text.ts";
import { addPageRoutes } from "./page-routes.ts";
import { Problem, problemType } from "./problem.ts";
import { PolicyBook } from "./policy-book.ts";
import { PolicyDesk } from "./policy-desk.ts";
import { measureRequests } from "./request-metrics.ts";
import { addFailureRoutes } from "./routes/failures.ts";
import { addHealthRoutes } from "./routes/health.ts";
import { addHostRoutes } from "./routes/hosts.ts";
import { addJobRoutes } from "./routes/jobs.ts";
import { addPolicyRoutes } from "./routes/policies.ts";
import { addStreamRoutes } from "./routes/streams.ts";
import { StreamSlots } from "./stream-slots.ts";

export interface ApiOptions {
  readonly broker: Broker;
  readonly clock: Clock;
  readonly layout: TopicLayout;
  /** Null: none is asked for, and only loopback names are answered. */
  readonly token: string | null;
  readonly streamsMax: number;
  /** How long a job is kept after its end; null: for ever. */
  readonly jobsKeptMs: number | null;
  readonly version: string;
  readonly log: (event: string, fields: Readonly<Record<string, unknown>>) => void;
  readonly metrics: Metrics;
  /** What jobs need that are not distributed; null: none are taken. */
  readonly direct: Pick<DirectCrawlsOptions, "services" | "host"> | null;
}

export type Checks = Readonly<Record<string, { readonly ok: boolean; readonly detail: string }>>;

export interface Api {
  readonly app: FastifyInstance;
  readonly checks: () => Checks;
  /** Text of /metrics, with that of the services that run here. */
  readonly metrics: () => Promise<string>;
  /** Ends streams and connections. */
  close(): Promise<void>;
}

/** Most bytes of a request's body: room for the 10,000 seeds that a job may have, at 400 characters each. */
const bodyBytesMax = 4 * 1024 * 1024;
const requestTimeoutMs = 30_000;
const catchUpMs = 5000;

/** Resolves when all that is known of jobs has been read. Rejects where the broker can't be reached. */
export async function openApi(options: ApiOptions): Promise<Api> {
  const { broker, clock, layout, log, metrics: registry } = options;
  const onTrouble = (event: string, error: Error): void => log(event, { message: error.message });
  const book = new JobBook(layout.prefix);
  const policies = new PolicyBook();
  const policyTopic = layout.prefix + topics.policies.name;
  const known = [topics.jobs, topics.counters, topics.policies].map(({ name }) => layout.prefix + name);
  let direct: DirectCrawls | null = null;
  const onBatch = (batch: Batch): void => {
    if (batch.topic === policyTopic) return policies.fold(batch);
    book.fold(batch);
    direct?.look();
  };
  const follower = new Follower({ broker, clock, topics: known, from: "low", onBatch, onTrouble });
  const hub = new EventHub({ broker, clock, prefix: layout.prefix, onTrouble });
  await Promise.all([follower.open(), hub.follower.open()]);
  for (const topic of known) {
    while (!(await follower.caughtUp(topic, catchUpMs))) log("catching_up", { topic });
  }
  const checks = (): Checks => ({ jobs: checkOf(follower), events: checkOf(hub.follower) });
  if (options.direct !== null) {
    direct = new DirectCrawls({ ...options.direct, clock, isWanted: () => book.hasDirectJob, log });
    direct.look();
  }
  const metrics = async (): Promise<string> => {
    const hosted = direct?.running ?? [];
    return joinMetrics(await Promise.all([registry.text(), ...hosted.map((each) => each.metrics())]));
  };
  const app = createApp(options);
  const slots = new StreamSlots(options.streamsMax, registry);
  const desk = new JobDesk({ book, follower, broker, clock, layout });
  const onRemoved = (by: "request" | "expiry"): void =>
    registry.add("sluice_api_removed_jobs_total", 1, { by });
  addJobRoutes(app, { desk, book, isDirect: direct !== null, onRemoved: () => onRemoved("request") });
  const expiry =
    options.jobsKeptMs === null
      ? null
      : new JobExpiry({
          desk,
          book,
          clock,
          keptMs: options.jobsKeptMs,
          onRemoved: () => onRemoved("expiry"),
          log,
        });
  expiry?.start();
  const policyDesk = new PolicyDesk({ book: policies, follower, broker, clock, layout });
  addPolicyRoutes(app, { desk: policyDesk, book: policies, clock });
  addHostRoutes(app, { desk: policyDesk, book: policies, broker, clock, layout });
  addStreamRoutes(app, { ...options, desk, book, hub, slots });
  addFailureRoutes(app, { broker, layout, desk, book });
  addHealthRoutes(app, { ...options, checks, metrics });
  addPageRoutes(app);
  return {
    app,
    checks,
    metrics,
    close: async () => {
      slots.close();
      await expiry?.close();
      await app.close();
      await direct?.close();
      await Promise.all([follower.close(), hub.follower.close()]);
    },
  };
}

function createApp({ token, log, metrics }: ApiOptions): FastifyInstance {
  const app = Fastify({
    bodyLimit: bodyBytesMax,
    requestTimeout: requestTimeoutMs,
    exposeHeadRoutes: false,
    forceCloseConnections: true,
    // A path that can't be decoded does not reach any route.
    frameworkErrors: (error, request, reply) =>
      void answerWith(problemOf(error), request.url, reply as FastifyReply),
  });
  // JSON alone: other kinds are what a page of another origin can send unasked.
  app.removeContentTypeParser("text/plain");
  measureRequests(app, metrics);
  guardAccess(app, token);
  app.setNotFoundHandler((request, reply) =>
    answerWith(new Problem(404, `There is no ${request.method} ${pathOf(request.url)}.`), request.url, reply),
  );
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const problem = problemOf(error);
    if (problem.status >= 500)
      log("request_failed", {
        method: request.method,
        url: request.routeOptions.url,
        message: messageOf(error),
      });
    return answerWith(problem, request.url, reply);
  });
  return app;
}

/** What the framework refuses keeps its status and its reason; of a bug nothing is told. */
function problemOf(error: FastifyError | Problem): Problem {
  if (error instanceof Problem) return error;
  const { statusCode } = error;
  if (statusCode === undefined || statusCode < 400 || statusCode >= 500)
    return new Problem(500, "Something went wrong here.");
  return new Problem(statusCode, error.message, [{ field: "body", message: error.message }]);
}

function answerWith(problem: Problem, url: string, reply: FastifyReply): unknown {
  reply.code(problem.status);
  reply.headers(problem.headers);
  reply.type(problemType);
  // As text, for the framework would send an object as JSON of its own type.
  return reply.send(JSON.stringify(problem.details(pathOf(url))));
}

const pathOf = (url: string): string => url.split("?")[0] ?? url;

function checkOf({ following }: Follower): Checks[string] {
  return { ok: following, detail: following ? "followed" : "not followed; tries again" };
}
