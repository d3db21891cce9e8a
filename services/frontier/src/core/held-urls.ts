/** URLs set aside until a unit of a budget for their path comes back, or is known never to. */
import { hostOf, type Job } from "@sluice/records";
import type { StepContext } from "@sluice/topology";
import { budgetsOf, type Budget } from "./budget-rules.ts";
import { returnSpare, settleUnits, type Ending } from "./budget-units.ts";
import { isSpent, roomIn, unitsOf } from "./units.ts";
import { forgetUnits } from "./forgetting.ts";
import { saveView, sendRefused, type Effects } from "./effects.ts";
import type { OpenEntry } from "./entry.ts";
import { skip } from "./halting.ts";
import { jobOf } from "./jobs.ts";
import type { JobView } from "./job-view.ts";
import { keys, parseHeld } from "./keys.ts";
import { putToWait, rankedPlace } from "./places.ts";
import { put } from "./put.ts";
import { putWaiting, readEntry } from "./roots.ts";
import type { FrontierState } from "./state.ts";

/** Held URLs that one step takes up or gives up. */
const pieceMax = 200;

/** The URL was taken from its queue and lacks a unit. */
export function hold(
  state: FrontierState,
  view: JobView,
  entry: OpenEntry,
  { name }: Budget,
  out: Effects,
): void {
  entry.delayedBy = "budget";
  view.waits(entry);
  view.known.set(entry.urlId, "held", entry.depth, rankedPlace(entry));
  putWaiting(state, view, keys.held(view.number, name, entry), entry, out);
}

/** The budget is spent: the URL ends without a fetch, with an event and a reason. */
export function giveUpForBudget(
  state: FrontierState,
  view: JobView,
  entry: OpenEntry,
  { reason, detail }: Budget,
  out: Effects,
  nowMs: number,
): void {
  sendRefused(view, entry, reason, detail, out, nowMs);
  skip(state, view, entry, reason, out);
}

/** What the URL held of budgets is used up with a result, and free again without. */
export function endUnits(
  state: FrontierState,
  view: JobView,
  entry: OpenEntry,
  ending: Ending,
  out: Effects,
  nowMs: number,
  context: StepContext,
): void {
  const job = jobOf(context, view.id);
  // A sitemap is in no budget.
  if (entry.sitemap > 0 || job?.run !== view.run) return;
  const budgets = budgetsOf(job, entry, state.ceilings);
  if (!entry.granted) return leaveUnits(state, view, job, budgets, out, context);
  settleUnits(state, view, job, entry, budgets, ending, out, context);
  forgetUnits(state, view, hostOf(entry.url), [...budgets.map(({ name }) => name), ...entry.units], out);
  if (view.halt === null) for (const budget of budgets) wakeHeld(state, view, budget, out, nowMs);
}

/**
 * A URL that waited takes no units after all. What there is of them is for others: in other tasks, or for those that are
 * held here, of which one might have been woken in its place.
 */
export function leaveUnits(
  state: FrontierState,
  view: JobView,
  job: Job,
  budgets: readonly Budget[],
  out: Effects,
  context: StepContext,
): void {
  for (const budget of budgets) {
    returnSpare(state, view, job, budget, out, context);
    // In a step of its own: who calls may be going through what is held.
    if (view.delayedBy.budget > 0) state.unholding.add(keys.heldBy(view.number, budget.name));
  }
}

/** A URL that is not asked for any more, though it may have been: what it held is free again. */
export const withoutResult: Ending = { kind: "refused", ok: false, linkRecords: 0 };

/**
 * The budget has units again, or none for ever: as many URLs go into their queues, some at a time. Taken from there they are
 * released, given up, or held again.
 */
export function wakeHeld(
  state: FrontierState,
  view: JobView,
  budget: Budget,
  out: Effects,
  nowMs: number,
): void {
  const { name } = budget;
  const units = unitsOf(state, view, name);
  const room = roomIn(budget, units);
  // A host takes one unit for all of its URLs.
  const useful = isSpent(budget, units) || (room > 0 && budget.shared?.unit === "hosts") ? pieceMax : room;
  const limit = Math.min(pieceMax, useful);
  const prefix = keys.heldBy(view.number, name);
  if (putBack(state, view, prefix, limit, out, nowMs) === pieceMax) state.unholding.add(prefix);
  else state.unholding.delete(prefix);
}

/** Puts the first URLs that are held under the prefix into their queues; returns how many. */
function putBack(
  state: FrontierState,
  view: JobView,
  prefix: string,
  limit: number,
  out: Effects,
  nowMs: number,
): number {
  const found = limit > 0 ? state.entries.first(prefix, limit) : [];
  for (const [key, value] of found) {
    const entry = readEntry(state, view.number, parseHeld(key), value);
    put(state, out, key, null);
    view.waitsNoMore(entry);
    entry.delayedBy = null;
    putToWait(state, view, entry, out, nowMs);
  }
  return found.length;
}

/** Goes on with what was too much for one step, or was left when the task was taken up; true where there was some. */
export function wakeSomeHeld(
  state: FrontierState,
  out: Effects,
  nowMs: number,
  context: StepContext,
): boolean {
  for (const prefix of state.unholding) {
    state.unholding.delete(prefix);
    const [first] = state.entries.first(prefix, 1);
    if (first === undefined) continue;
    const [key, value] = first;
    const parsed = parseHeld(key);
    const view = [...state.views.values()].find(({ number }) => number === parsed.view);
    const job = view === undefined ? undefined : jobOf(context, view.id);
    if (view === undefined || job === undefined || view.halt !== null) continue;
    const entry = readEntry(state, view.number, parsed, value);
    const budget = budgetsOf(job, entry, state.ceilings).find(({ name }) => name === parsed.name);
    // Held by the rules of an older version: what it lacks is found out anew.
    if (budget !== undefined) wakeHeld(state, view, budget, out, nowMs);
    else if (putBack(state, view, prefix, pieceMax, out, nowMs) === pieceMax) state.unholding.add(prefix);
    saveView(state, view, out, context);
    return true;
  }
  return false;
}
