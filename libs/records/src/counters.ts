import { z } from "zod";
import { jobIdSchema } from "./job.ts";

const count = z.int().nonnegative();

/** Counters of one job in one frontier task. They only ever rise within a run. */
export const tallySchema = z.object({
  announced: count.describe("Link records said to be written for this job, by causes settled here."),
  received: count.describe("Link records of this job read here."),
  admitted: count.describe("URLs taken into the frontier."),
  done: count.describe("Settled with the page had."),
  failed: count.describe("Settled without, those included that were asked for again since."),
  retried: count.default(0).describe("Of these, those that were asked for again."),
  skipped: count.describe("Admitted, then given up without a result: robots, limit, cancel."),
  sitemaps: count
    .default(0)
    .describe("Of those admitted the sitemaps: read or not, each ends as skipped, for it has no result."),
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
  retried: 0,
  skipped: 0,
  sitemaps: 0,
  limited: 0,
  refused: 0,
  granted: 0,
  returned: 0,
  taken: 0,
  freed: 0,
  wanted: 0,
});

/** URLs admitted and not yet settled. */
export const openOf = (tally: Tally): number => tally.admitted - tally.done - failedOf(tally) - tally.skipped;

/** URLs that are settled without a page, and not asked for again. */
export const failedOf = (tally: Tally): number => tally.failed - tally.retried;

const countsSchema = z.record(z.string().max(100), count);

/**
 * What holds URLs that are admitted and neither settled nor in flight. `politeness`: the pace of their host;
 * `back_off`: a try failed, or the host asked for a pause; `breaker`: that of their host is open; `paused`: the job,
 * or its record is awaited; `budget`: a page grant; `capacity`: as many URLs are released as a task may have out;
 * `back_pressure`: readers of results lag; `ending`: nothing, they are about to be given up.
 */
export const waitingReasons = [
  "politeness",
  "back_off",
  "breaker",
  "paused",
  "budget",
  "capacity",
  "back_pressure",
  "ending",
] as const;
export type WaitingReason = (typeof waitingReasons)[number];

export const waitingBySchema = z
  .object({
    politeness: count.describe("For the pace of their host."),
    back_off: count.describe("After a failed try, or because the host asked for a pause."),
    breaker: count.describe("For the breaker of their host."),
    paused: count.describe("For the job to go on."),
    budget: count.describe("For a page that may still be had of maxPages."),
    capacity: count.describe("For URLs that are released to be answered: a task has its most out."),
    back_pressure: count.describe("For readers of results that lag."),
    ending: count.describe("For nothing: the job ends, and they are about to be given up."),
  })
  .describe("Waiting URLs by what holds them: their sum is `waiting`.");
export type WaitingBy = z.infer<typeof waitingBySchema>;

export const nothingWaiting = (): WaitingBy => ({
  politeness: 0,
  back_off: 0,
  breaker: 0,
  paused: 0,
  budget: 0,
  capacity: 0,
  back_pressure: 0,
  ending: 0,
});

/** From a frontier task to the owner of a job. Compacted under `<job>/<task>`. */
export const taskCountersSchema = z.object({
  kind: z.literal("task"),
  job: jobIdSchema,
  run: z.int().positive(),
  task: count,
  wave: count.describe("Highest probe answered by this record or an earlier one."),
  inFlight: count.describe("Of the open URLs those released and unanswered."),
  waitingBy: waitingBySchema.optional(),
  failedBy: countsSchema.optional(),
  skippedBy: countsSchema.optional(),
  refusedBy: countsSchema.optional(),
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
  failedBy: countsSchema
    .optional()
    .describe("URLs that failed and are not asked for again, by category: their sum is `failed`."),
  retried: count.optional().describe("Times that a failed URL was asked for again."),
  skipped: count,
  skippedBy: countsSchema
    .optional()
    .describe("URLs that were admitted and given up without a result, by reason: their sum is `skipped`."),
  sitemaps: count
    .optional()
    .describe("Of those admitted the sitemaps: read or not, each ends as skipped, for it has no result."),
  refused: count,
  refusedBy: countsSchema
    .optional()
    .describe("Links that reached the frontier and were not admitted, by reason: their sum is `refused`."),
  waiting: count,
  waitingBy: waitingBySchema.optional(),
  inFlight: count,
  startedAtMs: z.int(),
  endedAtMs: z.int().nullable(),
  updatedAtMs: z.int(),
});
export type JobStatus = z.infer<typeof jobStatusSchema>;

/** What became of the URLs of a run: admitted is the sum of the others. */
export type UrlCounts = Pick<JobStatus, "admitted" | "done" | "failed" | "skipped" | "waiting" | "inFlight">;

/** What a registrable domain may use up over all tasks: pages, or host names of which pages are asked for. */
export const sharedUnits = ["pages", "hosts"] as const;
export type SharedUnit = (typeof sharedUnits)[number];

const budgetIdentity = {
  kind: z.literal("budget"),
  job: jobIdSchema,
  run: z.int().positive(),
  task: count,
  domain: z.string().describe("A registrable domain."),
  unit: z.enum(sharedUnits).describe("What of it is limited."),
};

/** From a frontier task to the task of a registrable domain. Compacted under `<job>/<task>/<unit>/<domain>`; totals. */
export const budgetCountersSchema = z.object({
  ...budgetIdentity,
  max: z.int().positive().describe("Most over all tasks, as the job or a policy says it."),
  used: count.describe("Units used up in this task."),
  returned: count.describe("Units given back."),
  wanted: count.describe("Units that this task would like to have had in all."),
});
export type BudgetCounters = z.infer<typeof budgetCountersSchema>;

export const countersSchema = z.discriminatedUnion("kind", [
  taskCountersSchema,
  jobStatusSchema,
  budgetCountersSchema,
]);
export type Counters = z.infer<typeof countersSchema>;
export type TaskCounters = z.infer<typeof taskCountersSchema>;

/** Failed URLs to be taken up again. */
export const retryOrderSchema = z.object({
  order: count.describe("Orders of this run so far; each is announced to each task like a record of links."),
  asked: countsSchema.describe("How many times so far, by category."),
});
export type RetryOrder = z.infer<typeof retryOrderSchema>;

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
  deadlineAtMs: z
    .int()
    .optional()
    .describe("Where the run's time is limited: past this instant nothing of it may be asked for."),
  over: z.boolean().optional().describe("The run has ended: nothing follows, and nothing is answered."),
  keep: z
    .boolean()
    .optional()
    .describe("With that: something has failed, so what was settled stays for a run that goes on with it."),
  retry: retryOrderSchema.optional(),
  continues: z
    .int()
    .positive()
    .nullable()
    .optional()
    .describe("The run before, where this one goes on with what failed in it."),
});
export type Grant = z.infer<typeof grantSchema>;

/** The answer to `BudgetCounters`. Compacted under the same key; totals. */
export const budgetGrantSchema = z.object({
  ...budgetIdentity,
  granted: count.describe("Units given to this task in all."),
  recall: z.boolean().describe("Others want units: give back what is not needed now."),
  spent: z.boolean().describe("All is used up: what still waits for a unit has waited in vain."),
  max: z.int().positive().optional().describe("Most over all tasks that this was reckoned by."),
  cuts: count
    .optional()
    .describe("How often less was allowed than before: with each, units that nobody has taken go back."),
});
export type BudgetGrant = z.infer<typeof budgetGrantSchema>;

export const grantsSchema = z.union([budgetGrantSchema, grantSchema]);
