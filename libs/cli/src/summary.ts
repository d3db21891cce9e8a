/** What a crawl came to: for `summary.json`, and for people. */
import type { FinishReason, JobStatus } from "@sluice/records";
import type { UrlCounts } from "@sluice/records";

export interface Summary {
  readonly job: string;
  readonly run: number;
  readonly finish_reason: FinishReason;
  readonly admitted: number;
  readonly done: number;
  readonly failed: number;
  readonly skipped: number;
  /** Of those admitted the sitemaps, which end as skipped; missing where there is none. */
  readonly sitemaps?: number;
  readonly waiting: number;
  readonly in_flight: number;
  /** From the run's start to its end or, where it goes on another time, to now. */
  readonly duration_ms: number;
  /** Results a second over that time. */
  readonly pages_per_second: number;
}

export interface SummaryInput {
  readonly job: string;
  readonly run: number;
  readonly reason: FinishReason;
  readonly figures: UrlCounts;
  readonly status: JobStatus | null;
  readonly nowMs: number;
}

export function summarize({ job, run, reason, figures, status, nowMs }: SummaryInput): Summary {
  const durationMs = status === null ? 0 : Math.max(0, (status.endedAtMs ?? nowMs) - status.startedAtMs);
  const pages = figures.done + figures.failed;
  const sitemaps = status?.sitemaps ?? 0;
  return {
    job,
    run,
    finish_reason: reason,
    admitted: figures.admitted,
    done: figures.done,
    failed: figures.failed,
    skipped: figures.skipped,
    ...(sitemaps === 0 ? {} : { sitemaps }),
    waiting: figures.waiting,
    in_flight: figures.inFlight,
    duration_ms: durationMs,
    pages_per_second: durationMs === 0 ? 0 : Math.round((pages * 100_000) / durationMs) / 100,
  };
}

const reasonTexts: Readonly<Record<FinishReason, string>> = {
  completed: "completed: every page in scope was crawled",
  max_pages: "max_pages: the page limit was reached",
  timeout: "timeout: the time limit was reached",
  cancelled: "cancelled",
  interrupted: "interrupted: the same command goes on from here",
  failed: "failed",
};

export function summaryText(
  summary: Summary,
  paths: { readonly results: string; readonly summary: string },
  error: string | null,
): string {
  const seconds = (summary.duration_ms / 1000).toFixed(1);
  const open = summary.waiting + summary.in_flight;
  const { admitted, skipped, sitemaps } = pagesOf(summary, open === 0);
  const lines = [
    `finish    ${reasonTexts[summary.finish_reason]}${error === null ? "" : `: ${error}`}`,
    `job       ${summary.job}, run ${summary.run}`,
    `pages     ${summary.done} done, ${summary.failed} failed, ${skipped} skipped of ${admitted} found`,
    ...(sitemaps === "" ? [] : [sitemaps]),
    `time      ${seconds} s, ${summary.pages_per_second.toFixed(2)} pages a second`,
    `results   ${paths.results}`,
    `summary   ${paths.summary}`,
  ];
  if (open > 0) lines.splice(3, 0, `left      ${summary.waiting} waiting, ${summary.in_flight} in flight`);
  return lines.join("\n");
}

/** Sitemaps are no pages to people; while some of them may be open they can't be told apart. */
function pagesOf(
  { admitted, skipped, sitemaps = 0 }: Summary,
  isOver: boolean,
): { readonly admitted: number; readonly skipped: number; readonly sitemaps: string } {
  if (sitemaps === 0) return { admitted, skipped, sitemaps: "" };
  if (!isOver) return { admitted, skipped, sitemaps: `sitemaps  ${sitemaps}, among those found` };
  return {
    admitted: admitted - sitemaps,
    skipped: skipped - sitemaps,
    sitemaps: `sitemaps  ${sitemaps} asked for`,
  };
}
