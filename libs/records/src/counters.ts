import { z } from "zod";
import { jobIdSchema } from "./job.ts";

const count = z.int().nonnegative();

/** Counters of one job in one frontier task. They only ever rise within a run. */
export const tallySchema = z.object({
  announced: count.describe("Link records said to be written for this job, by causes settled here."),
  received: count.describe("Link records of this job read here."),
  admitted: count.describe("URLs taken into the frontier."),
  done: count.describe("Settled with the page had."),
  failed: count.describe("Settled without."),
  skipped: count.describe("Admitted, then given up without a result: robots, limit, cancel."),
  limited: count.describe("URLs that maxPages or the end of the job cut off, admitted or not."),
  refused: count.describe("Links not admitted: out of scope, too deep."),
  granted: count.describe("Page grants received."),
  returned: count.describe("Page grants given back."),
  taken: count.describe("Page grants used by a first release."),
  freed: count.describe("Page grants freed by a URL that ended without a result."),
  wanted: count.describe("Page grants that this task would like to have had in all."),
});
export type Tally = z.infer<typeof tallySchema>;

export const emptyTally = (): Tally => ({
  announced: 0,
  received: 0,
  admitted: 0,
  done: 0,
  failed: 0,
  skipped: 0,
  limited: 0,
  refused: 0,
  granted: 0,
  returned: 0,
  taken: 0,
  freed: 0,
  wanted: 0,
});

/** URLs admitted and not yet settled. */
export const openOf = (tally: Tally): number => tally.admitted - tally.done - tally.failed - tally.skipped;

/** From a frontier task to the owner of a job. Compacted under `<job>/<task>`. */
export const taskCountersSchema = z.object({
  kind: z.literal("task"),
  job: jobIdSchema,
  run: z.int().positive(),
  task: count,
  wave: count.describe("Highest probe answered by this record or an earlier one."),
  inFlight: count.describe("Of the open URLs those released and unanswered."),
  tally: tallySchema,
});

export const finishReasons = [
  "completed",
  "max_pages",
  "timeout",
  "cancelled",
  "interrupted",
  "failed",
] as const;
export type FinishReason = (typeof finishReasons)[number];

/** What the owner of a job says of it. Compacted under the job id. */
export const jobStatusSchema = z.object({
  kind: z.literal("job"),
  job: jobIdSchema,
  run: z.int().positive(),
  state: z.enum(["running", "paused", "ending", "ended"]),
  finishReason: z.enum(finishReasons).nullable(),
  error: z.string().nullable(),
  admitted: count,
  done: count,
  failed: count,
  skipped: count,
  refused: count,
  waiting: count,
  inFlight: count,
  startedAtMs: z.int(),
  endedAtMs: z.int().nullable(),
  updatedAtMs: z.int(),
});
export type JobStatus = z.infer<typeof jobStatusSchema>;

/** What became of the URLs of a run: admitted is the sum of the others. */
export type UrlCounts = Pick<JobStatus, "admitted" | "done" | "failed" | "skipped" | "waiting" | "inFlight">;

export const countersSchema = z.discriminatedUnion("kind", [taskCountersSchema, jobStatusSchema]);
export type Counters = z.infer<typeof countersSchema>;
export type TaskCounters = z.infer<typeof taskCountersSchema>;

/** From the owner of a job to one frontier task. Compacted under `<job>/<task>`: totals, never deltas. */
export const grantSchema = z.object({
  job: jobIdSchema,
  run: z.int().positive(),
  task: count,
  granted: count.describe("Page grants given to this task in all."),
  recall: z.boolean().describe("Others want grants: give back what is not needed now."),
  wave: count.describe("Answer with your counters as of this probe; 0 where none was asked."),
  halt: z
    .enum(["max_pages", "timeout", "ended"])
    .nullable()
    .describe("Give up what still waits, for this reason."),
});
export type Grant = z.infer<typeof grantSchema>;
