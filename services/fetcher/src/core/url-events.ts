/** Events of each URL that a job may do without: they tell when something happens, not what became of it. */
import type { Permit } from "@sluice/records";
import { sendEvent } from "./answers.ts";
import { jobOf } from "./jobs.ts";
import type { Turn } from "./turn.ts";

/** The request for a page begins. A transaction carries it within the commit interval, not with the answer. */
export function tellStarted(turn: Turn, callId: string): void {
  const permit = turn.host.running.get(callId)?.queued?.permit;
  if (permit === undefined || permit.sitemap !== undefined || permit.errand !== undefined) return;
  if (!isWanted(turn, permit)) return;
  sendEvent(turn.out, { ...about(turn, permit), type: "url_started", attempt: permit.attempt });
}

/**
 * The result is where those find it who process it. Told here and not by a reader of results: in the result's
 * own transaction it is true for whoever sees it, whichever readers there are, and it comes before the outcome
 * without which the job's last event can't be written.
 */
export function tellProcessed(turn: Turn, permit: Permit, resultId: string): void {
  if (isWanted(turn, permit))
    sendEvent(turn.out, { ...about(turn, permit), type: "sent_to_processing", resultId });
}

const isWanted = ({ context }: Turn, permit: Permit): boolean =>
  jobOf(context, permit.job).urlEvents === "all";

const about = ({ nowMs }: Turn, { job, run, url, depth }: Permit) => ({ job, run, atMs: nowMs, url, depth });
