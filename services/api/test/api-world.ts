/** API replicas on a simulated Kafka whose clock runs while anybody waits. */
import { FakeClock, memoryBroker, serviceClock, type MemoryCluster } from "@sluice/broker/memory";
import { topicSpecs } from "@sluice/process";
import {
  defaultLayout,
  jobStatusSchema,
  partitionOf,
  resultSchema,
  topics,
  type CrawlEvent,
  type JobStatus,
  type Result,
} from "@sluice/records";
import type { Broker, OutRecord, TransactionalProducer } from "@sluice/runtime";
import { Metrics } from "@sluice/telemetry";
import { expect } from "vitest";
import { openApi, type Api, type ApiOptions } from "../src/api.ts";
import { problemSchema } from "../src/problem.ts";
import { submissionSchema } from "../src/submission.ts";

export const layout = { ...defaultLayout, prefix: "test.", partitions: 3 };

export interface ApiWorld {
  readonly clock: FakeClock;
  readonly cluster: MemoryCluster;
  /** A client on the side. */
  readonly broker: Broker;
  replica(name: string, options?: Partial<ApiOptions>): Promise<Api>;
  /** Writes in one transaction, as the services do. */
  write(records: readonly OutRecord[]): Promise<void>;
  /** Lets simulated time pass. */
  pass(ms: number): Promise<void>;
  until(condition: () => boolean | Promise<boolean>): Promise<void>;
  close(): Promise<void>;
}

export async function apiWorld(seed = 1): Promise<ApiWorld> {
  const clock = new FakeClock();
  const cluster = memoryBroker({ clock, seed });
  const stop = clock.drive();
  const broker = cluster.connect("side");
  await broker.admin.createTopics(topicSpecs(layout));
  const apis: Api[] = [];
  let writer: TransactionalProducer | null = null;
  return {
    clock,
    cluster,
    broker,
    async replica(name, options = {}) {
      const client = cluster.connect(name);
      const api = await openApi({
        broker: client,
        clock: serviceClock(client.clock),
        layout,
        token: null,
        streamsMax: 8,
        jobsKeptMs: null,
        version: "1.2.3",
        log: () => undefined,
        metrics: new Metrics({ service: "api" }),
        direct: null,
        ...options,
      });
      apis.push(api);
      return api;
    },
    async write(records) {
      writer ??= await broker.transactionalProducer("writer");
      await writer.commit({ group: "writers", records, offsets: [] });
    },
    pass: (ms) => new Promise((resolve) => clock.setTimer(clock.nowMs() + ms, resolve)),
    async until(condition) {
      for (let tries = 0; !(await condition()); tries += 1) {
        if (tries > 2000) throw new Error(`waited in vain (seed ${seed})`);
        await new Promise<void>((resolve) => clock.setTimer(clock.nowMs() + 20, resolve));
      }
    },
    async close() {
      await Promise.all(apis.map((api) => api.close()));
      await broker.close();
      await stop();
    },
  };
}

export const seedUrl = "https://site.example/docs/";
export const submission = (fields: object = {}): object => ({ seeds: [seedUrl], ...fields });
export const parsedSubmission = (fields: object = {}) => submissionSchema.parse(submission(fields));

export interface Answer {
  readonly status: number;
  /** Without fields where there was none. */
  readonly body: Readonly<Record<string, unknown>>;
}

/** Asks a replica. What it answers is JSON, or nothing at all; a refusal is a problem with the status of the answer. */
export async function ask(
  api: Api,
  method: "GET" | "POST" | "PUT" | "DELETE",
  url: string,
  payload?: object,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const answer = await api.app.inject({
    method,
    url,
    headers,
    ...(payload === undefined ? {} : { payload }),
  });
  const { statusCode: status } = answer;
  if (answer.payload === "") return { status, body: {} };
  const isProblem = status >= 400;
  expect(answer.headers["content-type"]).toContain(
    isProblem ? "application/problem+json" : "application/json",
  );
  if (isProblem) expect(problemSchema.parse(answer.json()).status).toBe(status);
  return { status, body: answer.json<Answer["body"]>() };
}

/** The fields that a refusal names. */
export const fieldsOf = ({ body }: Answer): readonly string[] =>
  problemSchema.parse(body).errors.map(({ field }) => field);

export function statusRecord(job: string, run: number, fields: Partial<JobStatus> = {}): OutRecord {
  const status = jobStatusSchema.parse({
    kind: "job",
    job,
    run,
    state: "running",
    finishReason: null,
    error: null,
    admitted: 9,
    done: 3,
    failed: 1,
    skipped: 1,
    refused: 7,
    waiting: 3,
    inFlight: 1,
    startedAtMs: 1,
    endedAtMs: null,
    updatedAtMs: 2,
    ...fields,
  });
  return keyed(topics.counters.name, job, status);
}

export function crawledEvent(job: string, run: number, number: number, title = "A page"): CrawlEvent {
  const url = `https://site.example/${number}`;
  return {
    type: "url_crawled",
    job,
    run,
    atMs: number,
    url,
    status: 200,
    depth: 1,
    outcome: "ok",
    title,
    durationMs: 1.5,
  };
}

export function completedEvent(job: string, run: number): CrawlEvent {
  const figures = { admitted: 3, done: 3, failed: 0, skipped: 0, durationMs: 4 };
  return { type: "job_completed", job, run, atMs: 1, finishReason: "completed", ...figures };
}

export const eventRecord = (event: CrawlEvent): OutRecord => keyed(topics.events.name, event.job, event);

export function keyed(topic: string, key: string, value: unknown): OutRecord {
  const partition = partitionOf(key, layout.partitions);
  return { topic: layout.prefix + topic, partition, key, value: JSON.stringify(value) };
}

/** A job id whose events lie in the same partition as those of another. */
export function neighbourOf(job: string): string {
  for (let number = 0; ; number += 1) {
    const id = `neighbour-${number}`;
    if (partitionOf(id, layout.partitions) === partitionOf(job, layout.partitions)) return id;
  }
}

export function resultOf(job: string, run: number, number: number): Result {
  return resultSchema.parse({
    schema_version: 1,
    result_id: `${job}-${run}-${number}`,
    job,
    run,
    url: `https://site.example/${number}`,
    url_id: String(number),
    host: "site.example",
    registrable_domain: null,
    depth: 0,
    parent_url_id: null,
    attempt: 1,
    outcome: "ok",
    error_code: null,
    error_message: null,
    status: 200,
    redirect_to: null,
    content_type: "text/html",
    charset: "utf-8",
    body_bytes: 1,
    wire_bytes: 1,
    truncated: false,
    body_sha256: null,
    title: "Zoë",
    description: null,
    lang: null,
    canonical_url: null,
    noindex: false,
    nofollow: false,
    links_count: 0,
    links_admitted_count: 0,
    etag: null,
    last_modified: null,
    remote_address: null,
    robots_rule: null,
    robots_line: null,
    robots_status: null,
    delay_ms: 0,
    ttfb_ms: 1,
    duration_ms: 2,
    fetched_at: "2026-01-01T00:00:00.000Z",
    fetched_at_ms: 1,
  });
}

export function resultRecord(result: Result, partition: number): OutRecord {
  const topic = layout.prefix + topics.results.name;
  return { topic, partition, key: result.url_id, value: JSON.stringify(result) };
}

/** What readers with read_committed see of a topic, partition by partition, as text. */
export function texts(cluster: MemoryCluster, topic: string): readonly string[] {
  return cluster
    .committed(layout.prefix + topic)
    .flat()
    .map(({ value }) => value?.toString("utf8") ?? "");
}

/** The broker, with the bytes told that each of its tails hands to a reader. */
export function countingBroker(client: Broker, onRead: (bytes: number) => void): Broker {
  return Object.assign(Object.create(client) as Broker, {
    tail: (options: Parameters<Broker["tail"]>[0]) =>
      client.tail({
        ...options,
        onBatch: (batch) => {
          for (const { value } of batch.records) onRead(value?.length ?? 0);
          options.onBatch(batch);
        },
      }),
  });
}
