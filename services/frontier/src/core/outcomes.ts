import { hostOf, type Outcome } from "@sluice/records";
import type { StepContext } from "@sluice/topology";
import { saveView, sendRefused, type Effects } from "./effects.ts";
import type { DelayReason } from "./delay-reason.ts";
import type { OpenEntry } from "./entry.ts";
import { forgetEnded, giveBack, skip } from "./halting.ts";
import { endUnits } from "./held-urls.ts";
import type { Halt, JobView } from "./job-view.ts";
import { putToWait, settle, takeBack } from "./places.ts";
import { keepFailed } from "./retrying.ts";
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
  const entry = state.out.get(outcome.releaseId)?.entry;
  if (entry !== undefined) {
    takeBack(state, outcome.releaseId, out);
    if (outcome.crawlDelayMs !== null) state.host(entry.domain).crawlDelayMs = outcome.crawlDelayMs;
    answer(state, view, entry, outcome, out, nowMs);
    if (outcome.kind === "settled" || outcome.kind === "refused")
      endUnits(state, view, entry, outcome, out, nowMs, context);
    giveBack(view);
    forgetEnded(state, view);
  }
  saveView(state, view, out, context);
}

/** What puts the next release off: the outcome says it. */
function delayReasonOf({ kind, detail }: Outcome): DelayReason {
  if (kind === "retry") return "back_off";
  switch (detail) {
    case "breaker":
      return "breaker";
    case "back_off":
    case "retry_after":
    case "robots":
      return "back_off";
    default:
      return "politeness";
  }
}

function answer(
  state: FrontierState,
  view: JobView,
  entry: OpenEntry,
  outcome: Outcome,
  out: Effects,
  nowMs: number,
): void {
  switch (outcome.kind) {
    case "settled":
      if (entry.sitemap > 0) return skip(state, view, entry, "sitemap", out);
      if (outcome.ok) view.tally.done += 1;
      else keepFailed(state, view, entry, outcome.category, out);
      return settle(state, view, hostOf(entry.url), entry, outcome.ok ? "done" : "failed", out);
    case "refused":
      return skip(state, view, entry, outcome.category, out);
    case "retry":
    case "deferred":
    case "expired":
      if (view.halt !== null) return giveUpAtHalt(state, view, entry, view.halt, out, nowMs);
      if (outcome.kind === "retry") entry.attempt += 1;
      entry.dueAtMs = outcome.dueAtMs ?? 0;
      entry.delayedBy = entry.dueAtMs > 0 ? delayReasonOf(outcome) : null;
      entry.leaseUntilMs = 0;
      return putToWait(state, view, entry, out, nowMs);
    default:
      outcome.kind satisfies never;
  }
}

/** What came back after its job has come to a halt. */
function giveUpAtHalt(
  state: FrontierState,
  view: JobView,
  entry: OpenEntry,
  reason: Halt,
  out: Effects,
  nowMs: number,
): void {
  // A seed that came as the job was about to end; the other halts are the user's word, and the job's last event tells them.
  if (reason === "ended") sendRefused(view, entry, reason, "it came as the job ended", out, nowMs);
  skip(state, view, entry, reason, out);
}
