import { jobSchema, jobStatusSchema, type Job, type JobStatus } from "@sluice/records";
import { describe, expect, it } from "vitest";
import { agoText, countText, durationText, elapsedText, rateText } from "../../page/figure-text.ts";
import { conditionOf, inOrder, ordersFor, type JobRow } from "../../page/job-list.ts";
import { jobRow } from "../../src/job-view.ts";

function row(id: string, job: Partial<Job> = {}, status: Partial<JobStatus> | null = {}): JobRow {
  const said = {
    kind: "job",
    job: id,
    run: 1,
    state: "running",
    finishReason: null,
    error: null,
    admitted: 1,
    done: 0,
    failed: 0,
    skipped: 0,
    refused: 0,
    waiting: 1,
    inFlight: 0,
    startedAtMs: 1,
    endedAtMs: null,
    updatedAtMs: 1,
    ...status,
  };
  return jobRow(jobSchema.parse({ id, ...job }), status === null ? undefined : jobStatusSchema.parse(said));
}

describe("the list of jobs", () => {
  it("has jobs at work first, then the latest", () => {
    const rows = [
      row("ended-late", { submittedAtMs: 90 }, { state: "ended" }),
      row("b", { submittedAtMs: 50 }),
      row("ended", { submittedAtMs: 20 }, { state: "ended" }),
      row("old", { submittedAtMs: 10 }, { state: "paused" }),
      row("a", { submittedAtMs: 50 }),
    ];
    expect(inOrder(rows).map(({ id }) => id)).toEqual(["a", "b", "old", "ended-late", "ended"]);
  });

  it("says what a job does and what was ordered, and offers what may be ordered", () => {
    const cases: readonly [JobRow, string, string][] = [
      [row("a", {}, null), "submitted", "pause cancel"],
      [row("a"), "running", "pause cancel"],
      [row("a", { desired: "paused" }), "pausing", "resume cancel"],
      [row("a", { desired: "paused" }, { state: "paused" }), "paused", "resume cancel"],
      [row("a", {}, { state: "paused" }), "resuming", "pause cancel"],
      [row("a", { desired: "cancelled" }), "cancelling", ""],
      [row("a", {}, { state: "ending" }), "ending", "pause cancel"],
      [row("a", {}, { state: "ended", finishReason: "completed" }), "completed", ""],
      [row("a", {}, { state: "ended", finishReason: "max_pages" }), "page limit reached", ""],
      [row("a", {}, { state: "ended", finishReason: "timeout" }), "out of time", ""],
      [row("a", {}, { state: "ended", finishReason: "failed" }), "failed", ""],
    ];
    for (const [each, text, orders] of cases)
      expect([conditionOf(each).text, ordersFor(each).join(" ")]).toEqual([text, orders]);
  });
});

describe("figures", () => {
  it("are written as people read them", () => {
    expect([0, 5, 65, 3600, 3 * 3600 + 61].map(elapsedText)).toEqual([
      "0:00",
      "0:05",
      "1:05",
      "1:00:00",
      "3:01:01",
    ]);
    expect([0, 1234567].map(countText)).toEqual(["0", "1,234,567"]);
    expect([0, 2.345, 99.94, 99.95, 1234.5].map(rateText)).toEqual(["0.0", "2.3", "99.9", "100", "1,235"]);
    expect([3.4, 999, 9999, 12_340].map(durationText)).toEqual(["3 ms", "999 ms", "9,999 ms", "12.3 s"]);
    expect([-5, 59_000, 61_000, 7_300_000, 200_000_000].map(agoText)).toEqual([
      "0 s ago",
      "59 s ago",
      "1 min ago",
      "2 h ago",
      "2 d ago",
    ]);
  });
});
