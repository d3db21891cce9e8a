/** The results of one run of a job as JSON lines, as they lie in a span of the topic. */
import { decodeRecord, topics, type Result } from "@sluice/records";
import type { Broker, BrokerRecord } from "@sluice/runtime";
import { LogReader } from "./log-reader.ts";
import type { ResultsPosition, ResultsSpan } from "./results-position.ts";
import type { StreamEnd } from "./stream-slots.ts";

export interface ResultsOptions {
  readonly broker: Broker;
  readonly prefix: string;
  readonly job: string;
  readonly run: number;
  readonly span: ResultsSpan;
}

/** A page of results is not longer than this, or one result long. */
const pageBytesMax = 4 * 1024 * 1024;

/** The whole span, read at the client's pace. `onClosed` is called once, however the stream ends. */
export function resultsFeed(
  options: ResultsOptions,
  onClosed: (end: StreamEnd) => void,
): ReadableStream<string> {
  const { job, run } = options;
  const reader = readerOf(options);
  let open = true;
  const close = async (end: StreamEnd): Promise<void> => {
    if (open) onClosed(end);
    open = false;
    await reader.close();
  };
  return new ReadableStream<string>(
    {
      pull: async (controller) => {
        try {
          for (;;) {
            const batch = await reader.read();
            if (batch === null) {
              if (open) controller.close();
              return await close("complete");
            }
            const lines = batch.records.map((record) => lineOf(record, job, run)).join("");
            if (lines === "") continue;
            return controller.enqueue(lines);
          }
        } catch (error) {
          // The connection breaks: an answer that is cut short must not look complete.
          controller.error(error);
          await close("failed");
        }
      },
      cancel: () => close("client"),
    },
    { highWaterMark: 0 },
  );
}

export interface ResultsPage {
  readonly lines: string;
  /** Where the next page begins. */
  readonly next: ResultsPosition;
}

/** At most `limit` results from the beginning of the span; fewer only at its end, or where they are large. */
export async function resultsPage(options: ResultsOptions, limit: number): Promise<ResultsPage> {
  const { job, run, span } = options;
  const next = [...span.from];
  const lines: string[] = [];
  let bytes = 0;
  const reader = readerOf(options);
  try {
    for (;;) {
      const batch = await reader.read();
      if (batch === null) return { lines: lines.join(""), next: span.end };
      for (const record of batch.records) {
        const line = lineOf(record, job, run);
        const length = Buffer.byteLength(line);
        if (line !== "" && (lines.length === limit || (lines.length > 0 && bytes + length > pageBytesMax)))
          return { lines: lines.join(""), next };
        next[batch.partition] = record.offset + 1;
        if (line === "") continue;
        lines.push(line);
        bytes += length;
      }
      next[batch.partition] = Math.min(batch.nextOffset, span.end[batch.partition] ?? batch.nextOffset);
    }
  } finally {
    await reader.close();
  }
}

function readerOf({ broker, prefix, span }: ResultsOptions): LogReader {
  const topic = prefix + topics.results.name;
  return new LogReader(
    broker,
    span.from.map((from, partition) => ({ topic, partition, from, end: span.end[partition] ?? from })),
  );
}

export interface FailedPage {
  readonly failed: readonly Result[];
  /** Where the next page begins. */
  readonly next: ResultsPosition;
}

/** Records that are looked at for one page: where few have failed, a page may have less than was asked for. */
const lookedAtMax = 100_000;

/** At most `limit` results that failed, of the categories, from the beginning of the span. */
export async function failedPage(
  options: ResultsOptions,
  categories: ReadonlySet<string>,
  limit: number,
): Promise<FailedPage> {
  const { job, run, span } = options;
  const next = [...span.from];
  const failed: Result[] = [];
  let lookedAt = 0;
  const reader = readerOf(options);
  try {
    for (;;) {
      const batch = await reader.read();
      if (batch === null) return { failed, next: span.end };
      for (const record of batch.records) {
        if (failed.length === limit || lookedAt === lookedAtMax) return { failed, next };
        next[batch.partition] = record.offset + 1;
        lookedAt += 1;
        const result = resultOf(record, job, run);
        if (result !== null && categories.has(result.outcome)) failed.push(result);
      }
      next[batch.partition] = Math.min(batch.nextOffset, span.end[batch.partition] ?? batch.nextOffset);
    }
  } finally {
    await reader.close();
  }
}

/** Null where the record is not one of the run. */
function resultOf({ value }: BrokerRecord, job: string, run: number): Result | null {
  const decoded = decodeRecord(topics.results.name, value);
  if (decoded.kind !== "value") return null;
  const result = decoded.value as Result;
  return result.job === job && result.run === run ? result : null;
}

/** Empty where the record is not one of the run. The bytes of the topic are kept where they are one line. */
function lineOf(record: BrokerRecord, job: string, run: number): string {
  const result = resultOf(record, job, run);
  if (result === null) return "";
  const text = record.value?.toString("utf8") ?? "";
  return `${/[\r\n]/.test(text) ? JSON.stringify(result) : text}\n`;
}
