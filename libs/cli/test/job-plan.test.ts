import { jobSchema, jobStatusSchema, type Job, type JobInput, type JobStatus } from "@sluice/records";
import { describe, expect, it } from "vitest";
import { conflictMessage, differencesOf, planJob } from "../src/job-plan.ts";

const jobOf = (more: Partial<JobInput> = {}): Job =>
  jobSchema.parse({ id: "a", seeds: ["https://a.example/"], ...more });
const statusOf = (more: Partial<JobStatus>): JobStatus =>
  jobStatusSchema.parse({
    kind: "job",
    job: "a",
    run: 1,
    state: "running",
    finishReason: null,
    error: null,
    admitted: 0,
    done: 0,
    failed: 0,
    skipped: 0,
    refused: 0,
    waiting: 0,
    inFlight: 0,
    startedAtMs: 1,
    endedAtMs: null,
    updatedAtMs: 1,
    ...more,
  });
const ended = statusOf({ state: "ended", finishReason: "completed", endedAtMs: 2 });

describe("the plan for a job", () => {
  it("begins run 1 where nothing is known", () => {
    expect(planJob(jobOf(), { job: null, status: null, written: true }, 77)).toEqual({
      kind: "first",
      job: { ...jobOf(), run: 1, submittedAtMs: 77 },
    });
  });

  it("goes on with the same run where the job has not ended, also where nobody has begun with it", () => {
    const known = jobOf({ run: 3, submittedAtMs: 5 });
    for (const status of [null, statusOf({ run: 3, state: "ending" }), { ...ended, run: 2 }]) {
      expect(planJob(jobOf(), { job: known, status, written: false }, 77)).toEqual({
        kind: "resume",
        job: known,
      });
    }
  });

  it("lets a paused job run, and a cancelled one end", () => {
    const planned = (desired: Job["desired"]) =>
      planJob(jobOf(), { job: jobOf({ desired }), status: null, written: false }, 1);
    expect(planned("paused")).toMatchObject({ kind: "resume", job: { desired: "running" } });
    expect(planned("cancelled")).toMatchObject({ kind: "resume", job: { desired: "cancelled" } });
  });

  it("begins the next run, with the options of now, once the job has ended and its results are written", () => {
    const now = jobOf({ limits: { maxPages: 5 } });
    expect(planJob(now, { job: jobOf({ run: 4 }), status: { ...ended, run: 4 }, written: true }, 77)).toEqual(
      {
        kind: "next",
        job: { ...now, run: 5, submittedAtMs: 77 },
      },
    );
  });

  it("goes on with a run that has ended while some of its results are not written", () => {
    expect(planJob(jobOf(), { job: jobOf(), status: ended, written: false }, 1).kind).toBe("resume");
  });

  it("refuses other options for an unfinished job and names each difference", () => {
    const now = jobOf({
      limits: { maxPages: 10 },
      politeness: { delayMs: 0 },
      scope: { exclude: ["b/**", "a/**"] },
    });
    const plan = planJob(now, { job: jobOf(), status: null, written: false }, 1);
    expect(plan).toEqual({
      kind: "conflict",
      differences: [
        { field: "--exclude", was: "none", now: "a/** b/**" },
        { field: "--max-pages", was: "no limit", now: "10" },
        { field: "--delay", was: "1000", now: "0" },
      ],
    });
    const text = conflictMessage("a", plan.kind === "conflict" ? plan.differences : []);
    expect(text).toContain("  --max-pages: was no limit, now 10\n");
    expect(text).toMatch(/^--job: the job a /);
  });

  it.each<[string, Partial<JobInput>]>([
    ["URL", { seeds: ["https://b.example/"] }],
    ["--scope", { scope: { kind: "any" } }],
    ["--include", { scope: { include: ["x"] } }],
    ["--max-depth", { limits: { maxDepth: 0 } }],
    ["--max-duration", { limits: { maxDurationMs: 1000 } }],
    ["--concurrency-per-host", { politeness: { concurrencyPerHost: 2 } }],
    ["--request-timeout", { fetch: { totalTimeoutMs: 1 } }],
    ["--attempts", { fetch: { attemptsMax: 1 } }],
  ])("sees a difference of %s", (field, more) => {
    expect(differencesOf(jobOf(), jobOf(more)).map((each) => each.field)).toEqual([field]);
  });

  it("sees no difference in the order of seeds and globs, nor in run and time", () => {
    const was = jobOf({
      seeds: ["https://a/", "https://b/"],
      scope: { include: ["a", "b"] },
      run: 2,
      submittedAtMs: 9,
    });
    const now = jobOf({ seeds: ["https://b/", "https://a/"], scope: { include: ["b", "a"] } });
    expect(differencesOf(was, now)).toEqual([]);
  });
});
