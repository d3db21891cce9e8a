import { defaultJob, defaultJobId, topics, type Job } from "@sluice/records";
import type { StepContext } from "@sluice/topology";

const builtIn = defaultJob();

/** The job as its record has it now; the job `default` exists without a record. */
export function jobOf(context: StepContext, id: string): Job | undefined {
  const found = context.tables[topics.jobs.name]?.get(id) as Job | undefined;
  return found ?? (id === defaultJobId ? builtIn : undefined);
}

/** Ids of all jobs that have a record. */
export function jobIds(context: StepContext): Iterable<string> {
  return context.tables[topics.jobs.name]?.keys() ?? [];
}
