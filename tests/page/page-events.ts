/** Events of a job as the services send them. */
import type { StreamEvent } from "@sluice/api";

type Of<Type extends StreamEvent["type"]> = Extract<StreamEvent, { type: Type }>;

export const job = "docs";
const startMs = Date.UTC(2026, 0, 1);
/** Time of an event so many seconds into the job. */
export const at = (seconds: number): number => startMs + Math.round(seconds * 1000);

export function crawled(number: number, fields: Partial<Of<"url_crawled">> = {}): Of<"url_crawled"> {
  return {
    type: "url_crawled",
    job,
    run: 1,
    atMs: at(number / 10),
    url: `https://site.example/${number}`,
    status: 200,
    depth: 1,
    outcome: "ok",
    title: `Page ${number}`,
    durationMs: 12.5,
    ...fields,
  };
}

export function failed(number: number, fields: Partial<Of<"url_failed">> = {}): Of<"url_failed"> {
  return {
    type: "url_failed",
    job,
    run: 1,
    atMs: at(number / 10),
    url: `https://site.example/failed/${number}`,
    depth: 1,
    category: "timeout",
    detail: "no answer within 30000 ms",
    refused: false,
    attempt: 1,
    final: false,
    ...fields,
  };
}

export interface Tally {
  readonly done: number;
  readonly failed: number;
  readonly skipped: number;
  readonly waiting: number;
  readonly inFlight: number;
}

/** `progress` and `time_update`, which come together. */
export function ticks(seconds: number, tally: Tally, run = 1): readonly StreamEvent[] {
  const { done, failed, skipped, waiting, inFlight } = tally;
  const base = { job, run, atMs: at(seconds) };
  const figures = {
    totalProcessed: done + failed,
    totalDiscovered: done + failed + skipped + waiting + inFlight,
    queueSize: waiting,
    pendingCount: inFlight,
  };
  const formatted = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  return [
    { type: "progress", ...base, ...figures, done, failed, skipped },
    { type: "time_update", ...base, ...figures, elapsed: seconds, formatted },
  ];
}

export function completed(seconds: number, fields: Partial<Of<"job_completed">> = {}): Of<"job_completed"> {
  return {
    type: "job_completed",
    job,
    run: 1,
    atMs: at(seconds),
    admitted: 0,
    done: 0,
    failed: 0,
    skipped: 0,
    durationMs: seconds * 1000,
    finishReason: "completed",
    ...fields,
  };
}
