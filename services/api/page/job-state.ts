/** All that the page shows of one job, reduced from its events and from what the API says of it. */
import type { JobStatus, UrlCounts } from "@sluice/records";
import type { ParsedEvent, StreamEvent } from "../src/event-parser.ts";
import { advance, count, emptySeries, hold, type SecondSeries } from "./second-series.ts";

/** Most pages, and most failures, that are shown; older ones are forgotten. */
export const recentMax = 50;
/** Most characters kept of a text that strangers have written. */
export const textCharsMax = 400;

interface Recent {
  /** Rises with each event, so that a row is known again. */
  readonly number: number;
  readonly atMs: number;
  readonly url: string;
}

export interface RecentPage extends Recent {
  readonly status: number | null;
  readonly outcome: string;
  readonly title: string | null;
  readonly durationMs: number | null;
  readonly note: string | null;
}

export interface RecentFailure extends Recent {
  readonly category: string;
  readonly detail: string | null;
  readonly refused: boolean;
  readonly attempt: number;
  readonly final: boolean;
}

export interface JobEnd {
  readonly reason: "completed" | "max_pages" | "cancelled" | "failed" | "timeout";
  readonly error: string | null;
  readonly durationMs: number;
}

export interface JobState {
  readonly job: string;
  /** 0 before anything is known. */
  readonly run: number;
  readonly figures: UrlCounts | null;
  /** Time of the figures, by the clock of who counted them. */
  readonly figuresAtMs: number;
  readonly elapsedSeconds: number | null;
  readonly end: JobEnd | null;
  /** Newest first. */
  readonly pages: readonly RecentPage[];
  readonly failures: readonly RecentFailure[];
  /** Events of these kinds that came in all. */
  readonly pagesCount: number;
  readonly failuresCount: number;
  readonly pagesBySecond: SecondSeries;
  readonly queueBySecond: SecondSeries;
  readonly misreadCount: number;
  readonly misreadReason: string | null;
  /** What the stream says is missing; null where nothing is. */
  readonly gap: string | null;
  /** Another run has begun: this one gets no more events. */
  readonly superseded: boolean;
  /** Of the last event, where its id has the form that the API gives it. */
  readonly partition: number;
  readonly offset: number;
}

export function emptyState(job: string): JobState {
  return {
    job,
    run: 0,
    figures: null,
    figuresAtMs: 0,
    elapsedSeconds: null,
    end: null,
    pages: [],
    failures: [],
    pagesCount: 0,
    failuresCount: 0,
    pagesBySecond: emptySeries,
    queueBySecond: emptySeries,
    misreadCount: 0,
    misreadReason: null,
    gap: null,
    superseded: false,
    partition: -1,
    offset: -1,
  };
}

/** An event of the stream. One that came before changes nothing; one that can't be read is counted. */
export function withMessage(state: JobState, id: string | null, parsed: ParsedEvent): JobState {
  const position = /^(\d{1,9}):(\d{1,15})$/.exec(id ?? "");
  if (position === null) return withParsed(state, parsed);
  const [partition, offset] = [Number(position[1]), Number(position[2])];
  if (partition === state.partition && offset <= state.offset) return state;
  return { ...withParsed(state, parsed), partition, offset };
}

export function withMisread(state: JobState, reason: string): JobState {
  return { ...state, misreadCount: state.misreadCount + 1, misreadReason: reason };
}

/** What the API says of the job; older figures do not replace newer ones. */
export function withStatus(state: JobState, status: JobStatus | null): JobState {
  if (status === null || status.run < state.run) return state;
  const current = ofRun(state, status.run);
  if (current.end !== null || status.updatedAtMs < current.figuresAtMs) return current;
  const { admitted, done, failed, skipped, waiting, inFlight } = status;
  const elapsedMs = (status.endedAtMs ?? status.updatedAtMs) - status.startedAtMs;
  return {
    ...current,
    figures: { admitted, done, failed, skipped, waiting, inFlight },
    figuresAtMs: status.updatedAtMs,
    elapsedSeconds: Math.max(current.elapsedSeconds ?? 0, Math.floor(elapsedMs / 1000)),
  };
}

/** Of a new run everything is new, but what went wrong on the way here stays. */
function ofRun(state: JobState, run: number): JobState {
  if (run <= state.run) return state;
  const { misreadCount, misreadReason, gap, partition, offset } = state;
  if (state.run === 0) return { ...state, run };
  return { ...emptyState(state.job), run, misreadCount, misreadReason, gap, partition, offset };
}

function withParsed(state: JobState, parsed: ParsedEvent): JobState {
  if (!parsed.ok) return withMisread(state, parsed.reason);
  const { event } = parsed;
  if (event.job !== state.job) return withMisread(state, `${event.type}.job: is that of another job`);
  if (event.run < state.run) return state;
  const current = ofRun(state, event.run);
  return event.type === "stream_connected" || event.type === "gap"
    ? withStreamEvent(current, event)
    : withEvent({ ...current, pagesBySecond: advance(current.pagesBySecond, event.atMs) }, event);
}

type OwnEvent = Extract<StreamEvent, { type: "stream_connected" | "gap" }>;

function withStreamEvent(state: JobState, event: OwnEvent): JobState {
  if (event.type === "stream_connected") return state;
  const { reason, from, to } = event;
  switch (reason) {
    case "retention":
      return { ...state, gap: `${to - from + 1} events are too old to be had and are missing below.` };
    case "superseded":
      return { ...state, superseded: true };
    case "unknown_position": {
      const { job, run, figures, figuresAtMs, misreadCount, misreadReason } = state;
      const gap = "The server does not know what was shown so far: everything that it has comes again.";
      return { ...emptyState(job), run, figures, figuresAtMs, misreadCount, misreadReason, gap };
    }
    default:
      return reason satisfies never;
  }
}

function withEvent(state: JobState, event: Exclude<StreamEvent, OwnEvent>): JobState {
  switch (event.type) {
    case "url_crawled":
      return withPage(state, event);
    case "url_failed":
      return withFailure(state, event);
    case "progress": {
      const { totalDiscovered: admitted, queueSize: waiting, pendingCount: inFlight } = event;
      const { done, failed, skipped } = event;
      return withFigures(state, event.atMs, { admitted, done, failed, skipped, waiting, inFlight });
    }
    case "time_update":
      return { ...state, elapsedSeconds: Math.max(state.elapsedSeconds ?? 0, event.elapsed) };
    case "job_completed":
      return ended(state, event, event.finishReason, null);
    case "job_failed":
      return ended(state, event, "failed", textOf(event.error));
    case "job_timeout":
      return ended(state, event, "timeout", null);
    case "url_started":
    case "urls_discovered":
    case "sitemap_read":
    case "sent_to_processing":
      return state;
    default:
      return event satisfies never;
  }
}

function withFigures(state: JobState, atMs: number, figures: UrlCounts): JobState {
  const queueBySecond = hold(state.queueBySecond, atMs, figures.waiting);
  if (atMs < state.figuresAtMs) return { ...state, queueBySecond };
  return { ...state, queueBySecond, figures, figuresAtMs: atMs };
}

type Of<Type extends StreamEvent["type"]> = Extract<StreamEvent, { type: Type }>;

function withPage(state: JobState, event: Of<"url_crawled">): JobState {
  const page: RecentPage = {
    number: state.pagesCount,
    atMs: event.atMs,
    url: textOf(event.url),
    status: event.status,
    outcome: textOf(event.outcome),
    title: event.title === null ? null : textOf(event.title),
    durationMs: event.durationMs,
    note: event.note === undefined ? null : textOf(event.note),
  };
  return {
    ...state,
    pages: [page, ...state.pages.slice(0, recentMax - 1)],
    pagesCount: state.pagesCount + 1,
    pagesBySecond: count(state.pagesBySecond, event.atMs),
  };
}

function withFailure(state: JobState, event: Of<"url_failed">): JobState {
  const failure: RecentFailure = {
    number: state.failuresCount,
    atMs: event.atMs,
    url: textOf(event.url),
    category: textOf(event.category),
    detail: event.detail === null ? null : textOf(event.detail),
    refused: event.refused,
    attempt: event.attempt,
    final: event.final,
  };
  return {
    ...state,
    failures: [failure, ...state.failures.slice(0, recentMax - 1)],
    failuresCount: state.failuresCount + 1,
  };
}

function ended(
  state: JobState,
  event: Of<"job_completed" | "job_failed" | "job_timeout">,
  reason: JobEnd["reason"],
  error: string | null,
): JobState {
  const { atMs, admitted, done, failed, skipped, durationMs } = event;
  return {
    ...state,
    figures: { admitted, done, failed, skipped, waiting: 0, inFlight: 0 },
    figuresAtMs: atMs,
    queueBySecond: hold(state.queueBySecond, atMs, 0),
    elapsedSeconds: Math.floor(durationMs / 1000),
    end: { reason, error, durationMs },
  };
}

/** A cut may not leave half of a character (a lone surrogate) behind. */
const textOf = (text: string): string =>
  text.length <= textCharsMax ? text : `${text.slice(0, textCharsMax).replace(/[\uD800-\uDBFF]$/, "")}…`;
