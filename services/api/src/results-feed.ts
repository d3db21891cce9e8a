/** The results of one run of a job as JSON lines, as they lie in the topic up to now. */
import { decodeRecord, topics, type Result } from "@sluice/records";
import type { Broker } from "@sluice/runtime";
import { LogReader } from "./log-reader.ts";

export interface ResultsOptions {
  readonly broker: Broker;
  readonly prefix: string;
  readonly job: string;
  readonly run: number;
  /** Called once, however the stream ends. */
  readonly onClosed: () => void;
}

/** Read at the client's pace, to the end that the topic has at the time of the call. */
export async function resultsFeed({
  broker,
  prefix,
  job,
  run,
  onClosed,
}: ResultsOptions): Promise<ReadableStream<string>> {
  const topic = prefix + topics.results.name;
  const marks = await broker.admin.watermarks(topic);
  const reader = new LogReader(
    broker,
    marks.map(({ low, high }, partition) => ({ topic, partition, from: low, end: high })),
  );
  let open = true;
  const close = async (): Promise<void> => {
    if (open) onClosed();
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
              return await close();
            }
            const lines = batch.records.map(({ value }) => lineOf(value, job, run)).join("");
            if (lines === "") continue;
            return controller.enqueue(lines);
          }
        } catch (error) {
          // The connection breaks: an answer that is cut short must not look complete.
          controller.error(error);
          await close();
        }
      },
      cancel: close,
    },
    { highWaterMark: 0 },
  );
}

/** Empty where the record is not one of the run. The bytes of the topic are kept where they are one line. */
function lineOf(value: Buffer | null, job: string, run: number): string {
  const decoded = decodeRecord(topics.results.name, value);
  if (decoded.kind !== "value") return "";
  const result = decoded.value as Result;
  if (result.job !== job || result.run !== run) return "";
  const text = value?.toString("utf8") ?? "";
  return `${/[\r\n]/.test(text) ? JSON.stringify(result) : text}\n`;
}
