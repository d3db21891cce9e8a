/** Views of jobs begin with a run, and let go of their URLs when it is over. */
import type { Job } from "@sluice/records";
import type { Effects } from "./effects.ts";
import { JobView } from "./job-view.ts";
import { takeBack } from "./places.ts";
import type { FrontierState } from "./state.ts";

/** The task's view of this run of the job; what it had of an older run is dropped. */
export function viewOf(state: FrontierState, job: Job, out: Effects): JobView {
  const known = state.views.get(job.id);
  if (known !== undefined && known.run >= job.run) return known;
  if (known !== undefined) dropUrls(state, known, out);
  const view = new JobView(job.id, job.run, state.takeNumber());
  state.views.set(job.id, view);
  return view;
}

/** Forgets every URL of a view: in memory at once, what is stored of it a piece at a time. */
export function dropUrls(state: FrontierState, view: JobView, out: Effects): void {
  for (const [releaseId, release] of state.out) if (release.view === view) takeBack(state, releaseId, out);
  leaveHosts(state, view);
  state.delayed.delete(view.id);
  state.halting.delete(view.id);
  state.dropping.add(view.number);
  view.clear();
  view.number = state.takeNumber();
}

/** The job has nothing waiting on any domain. */
export function leaveHosts(state: FrontierState, view: JobView): void {
  for (const domain of view.hosts) {
    state.hosts.get(domain)?.drop(view.id);
    // Its turn comes once more: other jobs may go on there, and where nothing is left it is forgotten.
    state.ready.add(domain);
  }
  view.hosts.clear();
}
