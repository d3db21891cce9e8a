/** What holds the URLs of a job that wait in a task. */
import { nothingWaiting, type Job, type WaitingBy } from "@sluice/records";
import type { StepContext } from "@sluice/topology";
import { delayReasons } from "./delay-reason.ts";
import { jobOf } from "./jobs.ts";
import type { JobView } from "./job-view.ts";
import type { FrontierState } from "./state.ts";

/** Something downstream lags too far behind: nothing is released until it has caught up. */
export function isHeld(context: StepContext): boolean {
  return context.tables["flow"]?.get("release") !== undefined;
}

/** A run of the job that may release by what its record says. */
export function isRunning(job: Job | undefined, view: JobView): boolean {
  return job?.run === view.run && job.desired === "running";
}

/** The job's pages are limited, and the task has none left to give out. */
export function lacksPages({ limits }: Job, view: JobView): boolean {
  return limits.maxPages !== null && view.grantsHeld <= 0;
}

/**
 * Each waiting URL by one reason; costs the same however many there are. A URL whose host would let it go while the
 * task has its most out waits for capacity.
 */
export function waitingByOf(state: FrontierState, view: JobView, context: StepContext): WaitingBy {
  const by = nothingWaiting();
  if (view.halt !== null) return { ...by, ending: view.waiting };
  for (const reason of delayReasons) by[reason] = view.delayedBy[reason];
  const queued = view.waiting - view.delayed;
  const job = jobOf(context, view.id);
  if (job === undefined || !isRunning(job, view)) by.paused = queued;
  else if (isHeld(context)) by.back_pressure = queued;
  else {
    const lacking = lacksPages(job, view) ? view.queuedFresh : view.gated.fresh;
    by.budget += lacking;
    by[state.total.demand() === 0 ? "capacity" : "politeness"] += queued - lacking;
  }
  return by;
}
