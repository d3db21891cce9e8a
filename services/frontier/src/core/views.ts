/** Views of jobs begin with a run, and let go of their URLs when it is over. */
import type { Job } from "@sluice/records";
import type { Effects } from "./effects.ts";
import { readSettled } from "./retrying.ts";
import { JobView } from "./job-view.ts";
import { takeBack } from "./places.ts";
import type { FrontierState } from "./state.ts";

/** The task's view of this run of the job; what it had of an older run is dropped. */
export function viewOf(state: FrontierState, { id, run, continues }: JobRun, out: Effects): JobView {
  const known = state.views.get(id);
  if (known !== undefined && known.run >= run) return known;
  const goesOn = known !== undefined && known.isKept && known.run === continues;
  if (known !== undefined && !goesOn) dropUrls(state, known, out);
  const view = new JobView(id, run, goesOn ? known.number : state.takeNumber(), state.knownUrls());
  if (goesOn) readSettled(state, view);
  state.views.set(id, view);
  return view;
}

/** A run of a job, and the one before where it goes on with what failed in it. */
export interface JobRun {
  readonly id: string;
  readonly run: number;
  readonly continues: number | null;
}

export const runOf = ({ id, run, retry }: Job): JobRun => ({ id, run, continues: retry?.continues ?? null });

/** Forgets every URL of a view that has ended; what it has settled stays on the disk. */
export function keepUrls(state: FrontierState, view: JobView): void {
  leaveHosts(state, view);
  view.clear();
  view.isKept = true;
}

/** Forgets every URL of a view: in memory at once, what is stored of it a piece at a time. */
export function dropUrls(state: FrontierState, view: JobView, out: Effects): void {
  for (const [releaseId, release] of state.out) if (release.view === view) takeBack(state, releaseId, out);
  leaveHosts(state, view);
  state.delayed.delete(view.id);
  state.halting.delete(view.id);
  state.retrying.delete(view.id);
  state.dropping.add(view.number);
  state.roots.delete(view.number);
  view.clear();
  view.number = state.takeNumber();
  view.isKept = false;
}

/** The job has nothing waiting on any domain. */
export function leaveHosts(state: FrontierState, view: JobView): void {
  for (const domain of view.hosts) {
    state.hosts.get(domain)?.drop(view.id);
    // Other jobs may go on there, and where nothing is left it is forgotten.
    state.makeReady(domain);
  }
  state.ready.drop(view.id);
  view.hosts.clear();
  view.gated.clear();
}
