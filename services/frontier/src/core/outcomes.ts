import type { Outcome } from "@sluice/records";
import type { StepContext } from "@sluice/topology";
import { saveUrl, saveView, type Effects } from "./effects.ts";
import type { ClosedEntry, OpenEntry } from "./entry.ts";
import { forgetEnded, giveBack, skip } from "./halting.ts";
import type { JobView } from "./job-view.ts";
import type { FrontierState } from "./state.ts";

/** An answer to a release: the credit comes back, and the URL is settled or waits again. */
export function receiveOutcome(
  state: FrontierState,
  outcome: Outcome,
  out: Effects,
  nowMs: number,
  context: StepContext,
): void {
  const view = state.views.get(outcome.job);
  if (view === undefined || view.run !== outcome.run) return;
  // Whatever became of the release, these records were written and somebody will count them.
  view.tally.announced += outcome.linkRecords;
  const entry = view.urls.get(outcome.urlId);
  if (entry?.kind === "open" && entry.releaseId === outcome.releaseId) {
    const host = state.host(entry.domain);
    host.window.settle(outcome.releaseId);
    entry.releaseId = null;
    view.inFlight -= 1;
    if (outcome.crawlDelayMs !== null) host.crawlDelayMs = outcome.crawlDelayMs;
    const heldBefore = view.grantsHeld;
    settle(state, view, entry, outcome, out, nowMs);
    state.ready.add(entry.domain);
    giveBack(view);
    // A grant that was freed serves any domain, not only the one it was freed on.
    if (view.grantsHeld > heldBefore) state.readyAll(view);
    forgetEnded(state, view, out);
  }
  saveView(out, view, context.task, context.partitionOf);
}

function settle(
  state: FrontierState,
  view: JobView,
  entry: OpenEntry,
  outcome: Outcome,
  out: Effects,
  nowMs: number,
): void {
  switch (outcome.kind) {
    case "settled": {
      const closed: ClosedEntry = { kind: outcome.ok ? "done" : "failed", depth: entry.depth };
      view.urls.set(entry.urlId, closed);
      if (outcome.ok) view.tally.done += 1;
      else view.tally.failed += 1;
      saveUrl(out, view, entry.urlId, closed);
      return;
    }
    case "refused":
      return skip(view, entry.urlId, entry.depth, entry.granted, outcome.category, out);
    case "retry":
    case "deferred":
    case "expired":
      if (view.halt !== null) return skip(view, entry.urlId, entry.depth, entry.granted, view.halt, out);
      if (outcome.kind === "retry") entry.attempt += 1;
      entry.dueAtMs = outcome.dueAtMs ?? 0;
      view.waits(entry);
      saveUrl(out, view, entry.urlId, entry);
      state.enqueue(view, entry, nowMs);
      return;
    default:
      outcome.kind satisfies never;
  }
}

/** URLs whose due time has come go into their domain's queue. */
export function wakeDelayed(state: FrontierState, nowMs: number): void {
  for (;;) {
    const key = state.delayed.due(nowMs);
    if (key === null) return;
    const bar = key.indexOf("|");
    const view = state.views.get(key.slice(0, bar));
    const entry = view?.urls.get(key.slice(bar + 1));
    if (view !== undefined && entry?.kind === "open" && entry.releaseId === null)
      state.enqueue(view, entry, nowMs);
  }
}
