import type { Grant, Job } from "@sluice/records";
import type { StepContext } from "@sluice/topology";
import { saveUrl, saveView, type Effects } from "./effects.ts";
import { dropUrls, viewOf } from "./intake.ts";
import { jobOf } from "./jobs.ts";
import type { Halt, JobView } from "./job-view.ts";
import type { FrontierState } from "./state.ts";

/** Gives up everything of a job that waits. What is out comes back as an outcome first. */
export function halt(state: FrontierState, view: JobView, reason: Halt, out: Effects): void {
  if (view.halt === reason || view.halt === "ended") return;
  view.halt = reason;
  for (const [urlId, entry] of view.urls) {
    if (entry.kind !== "open" || entry.releaseId !== null) continue;
    state.delayed.delete(`${view.id}|${urlId}`);
    view.waitsNoMore(entry);
    skip(view, urlId, entry.depth, entry.granted, reason, out);
  }
  for (const domain of view.hosts) {
    state.hosts.get(domain)?.drop(view.id);
    // Its turn comes once more: other jobs may go on there, and where nothing is left it is forgotten.
    state.ready.add(domain);
  }
  view.hosts.clear();
}

/** An admitted URL ends without a result. */
export function skip(
  view: JobView,
  urlId: string,
  depth: number,
  granted: boolean,
  reason: string,
  out: Effects,
): void {
  const closed = { kind: "skipped", depth } as const;
  view.urls.set(urlId, closed);
  view.tally.skipped += 1;
  if (reason === "max_pages" || reason === "timeout") view.tally.limited += 1;
  if (granted) view.tally.freed += 1;
  saveUrl(out, view, urlId, closed);
}

export function haltIfCancelled(state: FrontierState, job: Job, out: Effects, context: StepContext): void {
  if (job.desired !== "cancelled") return;
  const view = viewOf(state, job, out);
  // The owner may be ahead of the table: then this record speaks of a run that is over.
  if (view.run !== job.run || view.halt !== null) return;
  halt(state, view, "cancelled", out);
  saveView(out, view, context.task, context.partitionOf);
}

/** A job that may release again: its domains have their turns again. */
export function resumeJob(state: FrontierState, job: Job): void {
  const view = state.views.get(job.id);
  if (view === undefined || job.desired !== "running") return;
  state.readyAll(view);
}

/** From the owner of the job: grants, a probe, or the word to stop. All are totals, so any may come twice. */
export function receiveGrant(state: FrontierState, grant: Grant, out: Effects, context: StepContext): void {
  const job = jobOf(context, grant.job);
  // The owner knows the record already; here the table may be a moment behind, and a probe has to be answered.
  const view =
    job !== undefined && job.run >= grant.run ? viewOf(state, job, out) : viewAhead(state, grant, out);
  if (view.run !== grant.run) return;
  view.tally.granted = Math.max(view.tally.granted, grant.granted);
  view.recall = grant.recall;
  view.wave = Math.max(view.wave, grant.wave);
  if (grant.halt !== null) halt(state, view, grant.halt, out);
  giveBack(view);
  forgetEnded(state, view, out);
  state.readyAll(view);
  saveView(out, view, context.task, context.partitionOf);
}

/** The run takes nothing in any more: once nothing of it is out, its URLs need no room. */
export function forgetEnded(state: FrontierState, view: JobView, out: Effects): void {
  if (view.halt === "ended" && view.inFlight === 0) dropUrls(state, view, out);
}

function viewAhead(state: FrontierState, grant: Grant, out: Effects): JobView {
  return viewOf(state, { id: grant.job, run: grant.run } as Job, out);
}

/** Where others want grants, those that nothing waits for here go back. */
export function giveBack(view: JobView): void {
  if (!view.recall) return;
  const spare = view.grantsHeld - view.grantsNeeded;
  if (spare > 0) view.tally.returned += spare;
}
