/** One crawl from beginning to end, as a function: submitted, its results handled, its end waited for. */
import { randomUUID } from "node:crypto";
import { GroupBacklog } from "@sluice/process";
import {
  decodeRecord,
  partitionOf,
  topics,
  type Counters,
  type Job,
  type JobInput,
  type JobStatus,
  type Result,
  type TopicLayout,
} from "@sluice/records";
import type { Broker, Tail } from "@sluice/runtime";
import { Results, type HandleOptions, type ReadingParts } from "./results.ts";

export interface CrawlOptions extends HandleOptions {
  /** Called with each result, also those of failures. A slow one slows the reading, not the crawl. */
  readonly onResult?: (result: Result, signal: AbortSignal) => void | Promise<void>;
  /** Called with the counts of the job when they have changed. */
  readonly onProgress?: (status: JobStatus) => void;
  /** The job, without its seeds; what is not given is as for a list of pages: no link is followed. */
  readonly job?: Omit<Partial<JobInput>, "seeds">;
  /** Cancels the job; what was fetched is still handled. */
  readonly signal?: AbortSignal;
}

export interface Crawl {
  readonly job: string;
  /** As the frontier counted it; `failed` of them are no reason to reject. */
  readonly status: JobStatus;
  /** Results handled, by what became of the URL: ok, redirect, http_4xx, or the category of a failure. */
  readonly outcomes: ReadonlyMap<string, number>;
}

export interface CrawlParts extends ReadingParts {
  readonly submit: (job: JobInput) => Promise<Job>;
}

/** @throws ZodError where the job or a URL is not allowed; what `onResult` threw at its last attempt */
export async function crawl(
  parts: CrawlParts,
  urls: readonly string[],
  { onResult, onProgress, job: asked = {}, signal, ...handling }: CrawlOptions,
): Promise<Crawl> {
  const { broker, clock, layout, submit } = parts;
  const input: JobInput & { id: string } = {
    id: `crawl-${randomUUID()}`,
    scope: { kind: "any" },
    limits: { maxDepth: 0 },
    ...asked,
    seeds: [...urls],
  };
  const group = `client-${input.id}`;
  await beginAtEnd(broker, layout, group);
  const watch = await StatusWatch.open(broker, layout, input.id, onProgress ?? (() => undefined));
  const reading = new AbortController();
  const outcomes = new Map<string, number>();
  try {
    const { run } = await submit(input);
    const cancel = (): void => void submit({ ...input, desired: "cancelled" }).catch(watch.fail);
    signal?.addEventListener("abort", cancel, { once: true });
    if (signal?.aborted === true) cancel();
    const handled = new Results(parts, { group, job: input.id, signal: reading.signal }).forEach(
      async (result, withdrawn) => {
        if (result.run !== run) return;
        await onResult?.(result, withdrawn);
        outcomes.set(result.outcome, (outcomes.get(result.outcome) ?? 0) + 1);
      },
      handling,
    );
    try {
      const status = await Promise.race([watch.ended(run), failure(handled)]);
      const topic = layout.prefix + topics.results.name;
      const backlog = new GroupBacklog({ broker, clock, group: layout.prefix + group, topic });
      // Its results were all written before the job was said to have ended.
      await Promise.race([backlog.cleared(() => reading.signal.aborted), failure(handled)]);
      return { job: input.id, status, outcomes };
    } finally {
      signal?.removeEventListener("abort", cancel);
      reading.abort();
      await handled.catch(() => undefined);
    }
  } finally {
    await watch.close();
    await broker.admin.deleteGroup(layout.prefix + group).catch(() => undefined);
  }
}

/** The group begins behind what is there now: results of the job come later. */
async function beginAtEnd(broker: Broker, { prefix }: TopicLayout, name: string): Promise<void> {
  const topic = prefix + topics.results.name;
  const group = prefix + name;
  const marks = await broker.admin.watermarks(topic);
  const producer = await broker.transactionalProducer(`${group}-begin`);
  try {
    await producer.fence();
    const offsets = marks.map(({ high }, partition) => ({ topic, partition, offset: high, metadata: "" }));
    await producer.commit({ group, records: [], offsets });
  } finally {
    await producer.close();
  }
}

function failure(work: Promise<void>): Promise<never> {
  return new Promise((_, reject) => void work.catch(reject));
}

/** Follows what the frontier says of one job. */
class StatusWatch {
  readonly fail: (error: unknown) => void;
  readonly #statuses = new Map<number, PromiseWithResolvers<JobStatus>>();
  readonly #failed: Promise<never>;
  #tail: Tail | null = null;

  private constructor() {
    const { promise, reject } = Promise.withResolvers<never>();
    promise.catch(() => undefined);
    this.#failed = promise;
    this.fail = reject;
  }

  static async open(
    broker: Broker,
    { prefix, partitions }: TopicLayout,
    job: string,
    onProgress: (status: JobStatus) => void,
  ): Promise<StatusWatch> {
    const watch = new StatusWatch();
    const at = { topic: prefix + topics.counters.name, partition: partitionOf(job, partitions) };
    watch.#tail = await broker.tail({
      from: [{ ...at, offset: "end" }],
      onBatch: ({ records }) => {
        for (const { value } of records) {
          const decoded = decodeRecord(topics.counters.name, value);
          if (decoded.kind !== "value") continue;
          const said = decoded.value as Counters;
          if (said.kind !== "job" || said.job !== job) continue;
          onProgress(said);
          if (said.state === "ended") watch.#of(said.run).resolve(said);
        }
      },
      onFailed: (error, restarting) => {
        if (!restarting) watch.fail(error);
      },
    });
    return watch;
  }

  ended(run: number): Promise<JobStatus> {
    return Promise.race([this.#of(run).promise, this.#failed]);
  }

  async close(): Promise<void> {
    await this.#tail?.close();
  }

  #of(run: number): PromiseWithResolvers<JobStatus> {
    const known = this.#statuses.get(run) ?? Promise.withResolvers<JobStatus>();
    this.#statuses.set(run, known);
    return known;
  }
}
