import { jobStatusSchema, type JobStatus } from "@sluice/records";
import { describe, expect, it } from "vitest";
import {
  emptyState,
  recentMax,
  textCharsMax,
  withMessage,
  withStatus,
  type JobState,
} from "../../page/job-state.ts";
import { parseEvent, type StreamEvent } from "../../src/event-parser.ts";

const base = { job: "docs", run: 1, atMs: 5000 };
const crawled = (number: number, fields: object = {}): object => ({
  ...base,
  type: "url_crawled",
  url: `https://site.example/${number}`,
  status: 200,
  depth: 0,
  outcome: "ok",
  title: `Page ${number}`,
  durationMs: 3,
  ...fields,
});
const progress = (fields: object = {}): object => ({
  ...base,
  type: "progress",
  totalProcessed: 4,
  totalDiscovered: 10,
  queueSize: 4,
  pendingCount: 1,
  done: 3,
  failed: 1,
  skipped: 1,
  ...fields,
});
const completed = (fields: object = {}): object => ({
  ...base,
  type: "job_completed",
  admitted: 10,
  done: 8,
  failed: 1,
  skipped: 1,
  durationMs: 61_500,
  finishReason: "completed",
  ...fields,
});

/** Events as they come over the wire, each at the next position. */
function take(state: JobState, events: readonly object[]): JobState {
  return events.reduce<JobState>((now, event) => {
    const { type } = event as StreamEvent;
    return withMessage(now, `0:${now.offset + 1}`, parseEvent(type, JSON.stringify(event)));
  }, state);
}

const status = (fields: Partial<JobStatus> = {}): JobStatus =>
  jobStatusSchema.parse({
    kind: "job",
    job: "docs",
    run: 1,
    state: "running",
    finishReason: null,
    error: null,
    admitted: 5,
    done: 1,
    failed: 0,
    skipped: 0,
    refused: 0,
    waiting: 3,
    inFlight: 1,
    startedAtMs: 1000,
    endedAtMs: null,
    updatedAtMs: 6000,
    ...fields,
  });

describe("the state of a job on the page", () => {
  it("has the figures that were counted last, whether an event or the list told them", () => {
    const byEvent = take(emptyState("docs"), [progress()]);
    const figures = { admitted: 10, done: 3, failed: 1, skipped: 1, waiting: 4, inFlight: 1 };
    expect(byEvent.figures).toEqual(figures);
    expect(withStatus(byEvent, status({ updatedAtMs: 4999 })).figures).toEqual(figures);
    const byList = withStatus(byEvent, status());
    expect(byList).toMatchObject({ figures: { admitted: 5, waiting: 3 }, elapsedSeconds: 5 });
    expect(take(byList, [progress()]).figures).toEqual(byList.figures);
    expect(take(byList, [progress({ atMs: 6001 })]).figures).toEqual(figures);
  });

  it("ends with the figures of the last event, which nothing changes any more", () => {
    const state = take(emptyState("docs"), [progress(), completed()]);
    expect(state).toMatchObject({
      end: { reason: "completed", durationMs: 61_500 },
      figures: { admitted: 10, done: 8, failed: 1, skipped: 1, waiting: 0, inFlight: 0 },
      elapsedSeconds: 61,
    });
    expect(withStatus(state, status({ updatedAtMs: 99_000 }))).toEqual(state);
    const error = take(emptyState("docs"), [
      { ...completed(), type: "job_failed", error: "no seed could be used" },
    ]);
    expect(error.end).toMatchObject({ reason: "failed", error: "no seed could be used" });
    expect(take(emptyState("docs"), [{ ...completed(), type: "job_timeout" }]).end?.reason).toBe("timeout");
  });

  it("keeps the newest pages and failures and counts them all", () => {
    const failure = {
      ...base,
      type: "url_failed",
      url: "https://site.example/x",
      depth: 1,
      category: "timeout",
      detail: null,
      refused: false,
      attempt: 2,
      final: true,
    };
    const many = Array.from({ length: 3 * recentMax }, (_, index) => crawled(index));
    const state = take(emptyState("docs"), [...many, ...many.map(() => failure)]);
    expect(state.pages).toHaveLength(recentMax);
    expect(state.pages[0]?.url).toBe(`https://site.example/${3 * recentMax - 1}`);
    expect(state.pages.at(-1)?.url).toBe(`https://site.example/${2 * recentMax}`);
    expect(state.failures).toHaveLength(recentMax);
    expect(state.failures[0]).toMatchObject({ category: "timeout", attempt: 2, final: true });
    expect([state.pagesCount, state.failuresCount]).toEqual([3 * recentMax, 3 * recentMax]);
  });

  it("cuts texts without leaving half of a character", () => {
    const title = `${"x".repeat(textCharsMax - 1)}😀 and more`;
    const [page] = take(emptyState("docs"), [crawled(1, { title })]).pages;
    expect(page?.title).toBe(`${"x".repeat(textCharsMax - 1)}…`);
  });

  it("takes an event that comes again as if it had not come", () => {
    const state = take(emptyState("docs"), [crawled(1), crawled(2)]);
    const again = withMessage(state, "0:1", parseEvent("url_crawled", JSON.stringify(crawled(2))));
    expect(again).toBe(state);
    const garbledAgain = withMessage(state, "0:0", parseEvent("url_crawled", "{"));
    expect(garbledAgain.misreadCount).toBe(0);
    expect(take(state, [crawled(3)]).pagesCount).toBe(3);
  });

  it("counts what it can't understand, says why, and goes on", () => {
    let state = emptyState("docs");
    for (const [type, data] of [
      ["progress", '{"type":'],
      ["url_crawled", JSON.stringify(crawled(1, { status: "200" }))],
      ["weather", "{}"],
    ] as const) {
      state = withMessage(state, null, parseEvent(type, data));
    }
    expect(state.misreadCount).toBe(3);
    expect(state.misreadReason).toContain("weather");
    state = take(state, [crawled(9, { job: "other" }), crawled(2)]);
    expect(state).toMatchObject({ misreadCount: 4, pagesCount: 1 });
    expect(state.misreadReason).toContain("another job");
  });

  it("begins anew with a new run, and takes nothing of an older one", () => {
    const first = take(emptyState("docs"), [crawled(1), completed()]);
    const second = take(first, [crawled(7, { run: 2 })]);
    expect(second).toMatchObject({ run: 2, end: null, pagesCount: 1, figures: null });
    expect(take(second, [crawled(8)]).pagesCount).toBe(1);
    expect(withStatus(second, status())).toEqual(second);
    expect(withStatus(first, status({ run: 2, admitted: 1 }))).toMatchObject({
      run: 2,
      end: null,
      pages: [],
    });
  });

  it("says what the stream says is missing", () => {
    const gap = (reason: string): object => ({ ...base, type: "gap", reason, from: 3, to: 7 });
    const state = take(emptyState("docs"), [crawled(1)]);
    expect(take(state, [gap("retention")])).toMatchObject({
      gap: expect.stringContaining("5 events"),
      pagesCount: 1,
    });
    expect(take(state, [gap("superseded")]).superseded).toBe(true);
    const unknown = withMessage(state, null, parseEvent("gap", JSON.stringify(gap("unknown_position"))));
    expect(unknown).toMatchObject({ pagesCount: 0, offset: -1, gap: expect.stringContaining("comes again") });
  });
});
