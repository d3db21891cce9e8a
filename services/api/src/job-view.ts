/** A job as the API shows it. */
import { z } from "zod";
import { jobIdSchema, jobSchema, jobStatusSchema, type Job, type JobStatus } from "@sluice/records";

export const linksSchema = z.object({ self: z.string(), events: z.string(), results: z.string() });

export const submittedSchema = z.object({
  id: jobIdSchema,
  run: z.int().positive(),
  submittedAtMs: z.int().nonnegative(),
  links: linksSchema,
});
export type Submitted = z.infer<typeof submittedSchema>;

const stateSchema = z
  .enum(["submitted", ...jobStatusSchema.shape.state.options])
  .describe("`submitted`: the frontier has not said anything of this run yet.");

const figures = {
  id: jobIdSchema,
  run: z.int().positive(),
  state: stateSchema,
  status: jobStatusSchema
    .nullable()
    .describe("Of this run. At all times admitted = done + failed + skipped + waiting + inFlight."),
  links: linksSchema,
};

export const jobViewSchema = z.object({ ...figures, job: jobSchema.describe("The job's record.") });
export type JobView = z.infer<typeof jobViewSchema>;

const rowSchema = z.object({
  ...figures,
  job: jobSchema.omit({ seeds: true }),
  seedsCount: z.int().nonnegative(),
});
export const jobListSchema = z.object({
  jobs: z.array(rowSchema).describe("In the order of their ids, without their seeds."),
  next: jobIdSchema.nullable().describe("`after` of the next page; null on the last one."),
});
export type JobRow = z.infer<typeof rowSchema>;

export function hasEnded(job: Job, status: JobStatus | undefined): boolean {
  return status !== undefined && status.run >= job.run && status.state === "ended";
}

export function jobView(job: Job, said: JobStatus | undefined): JobView {
  const status = said !== undefined && said.run >= job.run ? said : null;
  return {
    id: job.id,
    run: status?.run ?? job.run,
    state: status?.state ?? "submitted",
    job,
    status,
    links: linksOf(job.id),
  };
}

export function jobRow(job: Job, said: JobStatus | undefined): JobRow {
  const { seeds, ...rest } = job;
  return { ...jobView(job, said), job: rest, seedsCount: seeds.length };
}

export function linksOf(id: string): z.infer<typeof linksSchema> {
  const self = `/v1/jobs/${id}`;
  return { self, events: `${self}/events`, results: `${self}/results` };
}
