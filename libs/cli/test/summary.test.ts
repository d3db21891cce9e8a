import { errorCodes, type ErrorCode } from "@sluice/errors";
import { emptyTally, finishReasons, type Counters, type JobStatus } from "@sluice/records";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { exitCodes, exitCodesText, exitOfError, exitOfReason } from "../src/exit-codes.ts";
import { JobFigures, noFigures } from "../src/job-figures.ts";
import { summarize, summaryText } from "../src/summary.ts";

const status: JobStatus = {
  kind: "job",
  job: "a",
  run: 2,
  state: "running",
  finishReason: null,
  error: null,
  admitted: 9,
  done: 1,
  failed: 0,
  skipped: 0,
  refused: 0,
  waiting: 8,
  inFlight: 0,
  startedAtMs: 1000,
  endedAtMs: null,
  updatedAtMs: 1500,
};
const endedStatus: JobStatus = {
  ...status,
  state: "ended",
  finishReason: "completed",
  endedAtMs: 5000,
  done: 7,
  failed: 1,
  skipped: 1,
  waiting: 0,
};
const task = (
  number: number,
  tally: Partial<ReturnType<typeof emptyTally>>,
  inFlight = 0,
  run = 2,
): Counters => ({
  kind: "task",
  job: "a",
  run,
  task: number,
  wave: 0,
  inFlight,
  tally: { ...emptyTally(), ...tally },
});

describe("the figures of a job", () => {
  it("are the sums of what each task said last, of this run only", () => {
    const figures = new JobFigures("a", 2);
    figures.fold(task(0, { admitted: 5, done: 1 }, 2));
    figures.fold(task(0, { admitted: 6, done: 2 }, 1));
    figures.fold(task(3, { admitted: 4, failed: 1, skipped: 1 }, 2));
    figures.fold(task(3, { admitted: 99 }, 0, 1));
    figures.fold({ ...task(4, { admitted: 99 }), job: "b" });
    figures.fold(status);
    expect(figures.figures()).toEqual({
      admitted: 10,
      done: 2,
      failed: 1,
      skipped: 1,
      inFlight: 3,
      waiting: 3,
    });
    expect(figures.ended).toBe(false);
  });

  it("are those of the owner once the job has ended", () => {
    const figures = new JobFigures("a", 2);
    figures.fold(task(0, { admitted: 5, done: 1 }, 2));
    figures.fold({ ...endedStatus, run: 1 });
    expect(figures.ended).toBe(false);
    figures.fold(endedStatus);
    expect(figures.ended).toBe(true);
    expect(figures.figures()).toMatchObject({
      admitted: 9,
      done: 7,
      failed: 1,
      skipped: 1,
      waiting: 0,
      inFlight: 0,
    });
  });

  it("always add up: admitted = done + failed + skipped + waiting + in flight", () => {
    const count = fc.nat(1000);
    const part = fc.record({
      number: fc.nat(11),
      done: count,
      failed: count,
      skipped: count,
      inFlight: count,
      waiting: count,
    });
    fc.assert(
      fc.property(fc.array(part, { maxLength: 40 }), (parts) => {
        const figures = new JobFigures("a", 2);
        for (const { number, done, failed, skipped, inFlight, waiting } of parts) {
          figures.fold(
            task(
              number,
              { admitted: done + failed + skipped + inFlight + waiting, done, failed, skipped },
              inFlight,
            ),
          );
        }
        const sum = figures.figures();
        return sum.admitted === sum.done + sum.failed + sum.skipped + sum.waiting + sum.inFlight;
      }),
    );
  });
});

describe("the summary", () => {
  it("has exactly the fields that are promised, in snake_case", () => {
    const summary = summarize({
      job: "a",
      run: 2,
      reason: "completed",
      figures: endedStatus,
      status: endedStatus,
      nowMs: 99_000,
    });
    expect(summary).toEqual({
      job: "a",
      run: 2,
      finish_reason: "completed",
      admitted: 9,
      done: 7,
      failed: 1,
      skipped: 1,
      waiting: 0,
      in_flight: 0,
      duration_ms: 4000,
      pages_per_second: 2,
    });
  });

  it("counts the time to now while the job goes on, and none where it never began", () => {
    const of = (known: JobStatus | null) =>
      summarize({ job: "a", run: 2, reason: "interrupted", figures: noFigures, status: known, nowMs: 4000 });
    expect(of(status).duration_ms).toBe(3000);
    expect(of(null)).toMatchObject({ duration_ms: 0, pages_per_second: 0 });
  });

  it("tells people the reason, the figures, what is left and where the files are", () => {
    const figures = { ...noFigures, admitted: 9, done: 5, failed: 1, waiting: 2, inFlight: 1 };
    const text = summaryText(
      summarize({ job: "a", run: 2, reason: "interrupted", figures, status, nowMs: 4000 }),
      { results: "/out/results.jsonl", summary: "/out/summary.json" },
      null,
    );
    for (const part of [
      "interrupted",
      "a, run 2",
      "5 done, 1 failed, 0 skipped of 9",
      "2 waiting, 1 in flight",
      "3.0 s, 2.00 pages",
      "/out/results.jsonl",
      "/out/summary.json",
    ]) {
      expect(text).toContain(part);
    }
  });
});

describe("exit codes", () => {
  it("are what the documentation promises", () => {
    expect(Object.fromEntries(Object.entries(exitCodes).map(([exit, { code }]) => [exit, code]))).toEqual({
      done: 0,
      usage: 2,
      kafka: 3,
      jobEnded: 4,
      interrupted: 11,
      stopped: 13,
      fatal: 17,
    });
  });

  it("are 0 for every end that was wished for", () => {
    expect(
      Object.fromEntries(finishReasons.map((reason) => [reason, exitCodes[exitOfReason(reason)].code])),
    ).toEqual({
      completed: 0,
      max_pages: 0,
      timeout: 0,
      cancelled: 4,
      interrupted: 11,
      failed: 4,
    });
  });

  it("tell usage, job conflicts and a missing Kafka from bugs", () => {
    const codes = Object.keys(errorCodes).map((code) => [
      code,
      exitCodes[exitOfError(code as ErrorCode)].code,
    ]);
    expect(Object.fromEntries(codes)).toMatchObject({
      SLUICE_USAGE: 2,
      SLUICE_CONFIG_INVALID: 2,
      SLUICE_JOB_CONFLICT: 2,
      SLUICE_TOPIC_DRIFT: 2,
      SLUICE_KAFKA_UNAVAILABLE: 3,
      SLUICE_SERVICE_DEAD: 17,
      SLUICE_STEP_BROKEN: 17,
    });
  });

  it("are all in the help", () => {
    for (const { code, about } of Object.values(exitCodes))
      expect(exitCodesText()).toContain(`${String(code).padStart(2)}  ${about}`);
  });
});

describe("sitemaps", () => {
  const textOf = (figures: JobStatus): string =>
    summaryText(
      summarize({ job: "a", run: 2, reason: "completed", figures, status: figures, nowMs: 99_000 }),
      { results: "r", summary: "s" },
      null,
    );

  it("are told apart from pages once all of them have ended, and are in the sums until then", () => {
    const over = textOf({ ...endedStatus, admitted: 12, skipped: 4, sitemaps: 3 });
    expect(over).toContain("7 done, 1 failed, 1 skipped of 9 found\nsitemaps  3 asked for\n");
    const open = textOf({ ...status, sitemaps: 3 });
    expect(open).toContain("0 skipped of 9 found\n");
    expect(open).toContain("\nsitemaps  3, among those found\n");
    expect(textOf(endedStatus)).not.toContain("sitemaps");
  });
});
