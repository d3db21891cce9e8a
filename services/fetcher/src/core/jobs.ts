import { defaultJob, defaultJobId, topics, type Job, type Permit } from "@sluice/records";
import type { StepContext } from "@sluice/topology";

const builtIn = defaultJob();

function recordOf(context: StepContext, id: string): Job | null {
  const found = context.tables[topics.jobs.name]?.get(id) as Job | undefined;
  return found ?? (id === defaultJobId ? builtIn : null);
}

/** The job of a permit as its record has it now; null where the record, or that of its run, is not here yet. */
export function knownJob(context: StepContext, permit: Permit): Job | null {
  const job = recordOf(context, permit.job);
  return job === null || job.run < permit.run ? null : job;
}

/** The job of a permit that was let through by `knownJob`; a record deleted since leaves the defaults. */
export const jobOf = (context: StepContext, id: string): Job => recordOf(context, id) ?? builtIn;

export function isCancelled(job: Job | null, permit: Permit): boolean {
  return job !== null && (job.desired === "cancelled" || job.run > permit.run);
}
