import { hostOf, type Grant, type Job } from "@sluice/records";
import type { StepContext } from "@sluice/topology";
import { saveView, type Effects } from "./effects.ts";
import type { OpenEntry } from "./entry.ts";
import { jobOf } from "./jobs.ts";
import type { Halt, JobView } from "./job-view.ts";
import { removeStored, settle, takeWaiting } from "./places.ts";
import type { FrontierState } from "./state.ts";
import { receiveRetry, retryMore } from "./retrying.ts";
import { dropUrls, keepUrls, leaveHosts, runOf, viewOf } from "./views.ts";

/** Stored entries that one step clears away. */
const pieceMax = 500;

/** Gives up everything of a job that waits, a piece at a time. What is out comes back as an outcome first. */
export function halt(state: FrontierState, view: JobView, reason: Halt, out: Effects): void {
  if (view.halt === reason || view.halt === "ended") return;
  view.halt = reason;
  state.delayed.delete(view.id);
  leaveHosts(state, view);
  if (view.waiting > 0) state.halting.add(view.id);
  giveUpSome(state, view, reason, out);
}

function giveUpSome(state: FrontierState, view: JobView, reason: Halt, out: Effects): void {
  if (!state.halting.has(view.id)) return;
  const taken = takeWaiting(state, view, pieceMax, out);
  for (const entry of taken) skip(state, view, entry, reason, out);
  // Not by what is counted: without transactions a crash may leave counters that say more, or less, than is stored.
  if (taken.length < pieceMax) state.halting.delete(view.id);
}

/** Goes on with what was too much for one step: jobs at a halt, and what is stored of former runs. */
export function clearSome(state: FrontierState, out: Effects, nowMs: number, context: StepContext): void {
  if (retryMore(state, out, nowMs, context)) return;
  for (const id of state.halting) {
    const view = state.views.get(id);
    if (view === undefined || view.halt === null) throw new Error(`${id} is not at a halt`);
    giveUpSome(state, view, view.halt, out);
    giveBack(view);
    saveView(state, view, out, context);
    return;
  }
  for (const number of state.dropping) {
    if (removeStored(state, number, pieceMax, out, context)) state.dropping.delete(number);
    return;
  }
}

/** An admitted URL ends without a result. */
export function skip(
  state: FrontierState,
  view: JobView,
  entry: OpenEntry,
  reason: string,
  out: Effects,
): void {
  view.skippedAs(reason);
  if (reason === "max_pages" || reason === "timeout") view.tally.limited += 1;
  if (entry.granted && entry.sitemap === 0) view.tally.freed += 1;
  settle(state, view, hostOf(entry.url), entry, "skipped", out);
}

export function haltIfCancelled(state: FrontierState, job: Job, out: Effects, context: StepContext): void {
  if (job.desired !== "cancelled") return;
  const view = viewOf(state, runOf(job), out);
  // The owner may be ahead of the table: then this record speaks of a run that is over.
  if (view.run !== job.run || view.halt !== null) return;
  halt(state, view, "cancelled", out);
  saveView(state, view, out, context);
}

/** A job that may release again: its domains have their turns again. */
export function resumeJob(state: FrontierState, job: Job): void {
  const view = state.views.get(job.id);
  if (view === undefined || job.desired !== "running") return;
  state.readyAll(view);
}

/** From the owner of the job: grants, a probe, or the word to stop. All are totals, so any may come twice. */
export function receiveGrant(
  state: FrontierState,
  grant: Grant,
  out: Effects,
  nowMs: number,
  context: StepContext,
): void {
  const job = jobOf(context, grant.job);
  // Of a job that was removed since.
  if (grant.over === true && job === undefined && !state.views.has(grant.job)) return;
  // The owner knows the record already; here the table may be a moment behind, and a probe has to be answered.
  const before = state.views.get(grant.job);
  const view =
    job !== undefined && job.run >= grant.run ? viewOf(state, runOf(job), out) : viewAhead(state, grant, out);
  if (view.run !== grant.run) {
    // The one before goes from the disk from now on: after a crash it must not be taken for whole.
    if (view !== before) saveView(state, view, out, context);
    return;
  }
  view.tally.granted = Math.max(view.tally.granted, grant.granted);
  view.recall = grant.recall;
  view.wave = Math.max(view.wave, grant.wave);
  learnDeadline(state, view, grant.deadlineAtMs ?? null);
  // What ends takes nothing up any more.
  if (grant.halt !== null) halt(state, view, grant.halt, out);
  receiveRetry(state, view, grant, out, nowMs);
  giveBack(view);
  forgetEnded(state, view);
  // Nothing has failed in any task.
  if (grant.over === true && grant.keep !== true && view.isKept) dropUrls(state, view, out);
  saveView(state, view, out, context);
}

/** Until it is known nothing of a job whose time is limited is released, nor when it is over: both may have changed. */
function learnDeadline(state: FrontierState, view: JobView, deadlineAtMs: number | null): void {
  if (deadlineAtMs === view.deadlineAtMs) return;
  view.deadlineAtMs = deadlineAtMs;
  if (view.halt === null) state.readyAll(view);
}

/** The run takes nothing in any more: once nothing of it is out, its URLs need no room in memory. */
export function forgetEnded(state: FrontierState, view: JobView): void {
  // What failed, here or elsewhere, may be asked for again, and then what was had must be known.
  if (view.halt === "ended" && view.inFlight === 0 && view.known.size > 0) keepUrls(state, view);
}

function viewAhead(state: FrontierState, grant: Grant, out: Effects): JobView {
  return viewOf(state, { id: grant.job, run: grant.run, continues: grant.continues ?? null }, out);
}

/**
 * Page grants that what waits here could use at once. What lacks a unit of another budget uses none: else two tasks
 * could each keep what the other lacks.
 */
export function grantsUsable(view: JobView): number {
  return view.grantsNeeded - view.delayedBy.budget - view.gated.fresh;
}

/** Where others want grants, those that nothing waits for here go back. */
export function giveBack(view: JobView): void {
  if (!view.recall) return;
  const spare = view.grantsHeld - grantsUsable(view);
  if (spare > 0) view.tally.returned += spare;
}
