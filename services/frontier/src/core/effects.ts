import { defaultPriority, failedOf, topics, type CrawlEvent, type JobStatus } from "@sluice/records";
import type { Effect, StepContext } from "@sluice/topology";
import type { OpenEntry } from "./entry.ts";
import type { JobOwner } from "./job-owner.ts";
import type { JobView } from "./job-view.ts";
import { keys } from "./keys.ts";
import type { FrontierState } from "./state.ts";
import { waitingByOf } from "./waiting.ts";

/** Effects of one step, in order. */
export type Effects = Effect<never>[];

/** Only where it is not what it would be taken for. */
export function saidPriority(priority: number): { readonly priority?: number } {
  return priority === defaultPriority ? {} : { priority };
}

/** The operator has said that the host is not to be asked. */
export function sendBlocked(
  view: JobView,
  entry: Pick<OpenEntry, "url" | "depth" | "attempt" | "sitemap">,
  detail: string,
  out: Effects,
  atMs: number,
): void {
  sendRefused(view, entry, "blocked", detail, out, atMs);
}

/** The URL ends without a fetch. */
export function sendRefused(
  view: JobView,
  { url, depth, attempt, sitemap }: Pick<OpenEntry, "url" | "depth" | "attempt" | "sitemap">,
  category: string,
  detail: string,
  out: Effects,
  atMs: number,
): void {
  sendEvent(out, {
    type: "url_failed",
    job: view.id,
    run: view.run,
    atMs,
    url,
    depth,
    category,
    detail,
    attempt,
    refused: true,
    final: true,
    ...(sitemap === 0 ? {} : { sitemap }),
  });
}

/** Stores what the task knows of the job and tells the owner, in the same transaction. */
export function saveView(state: FrontierState, view: JobView, out: Effects, context: StepContext): void {
  const { task, partitionOf } = context;
  out.push({ kind: "put", key: keys.view(view.id), value: view.stored() });
  out.push({
    kind: "send",
    topic: topics.counters.name,
    key: `${view.id}/${task}`,
    partition: partitionOf(view.id),
    latest: true,
    value: {
      kind: "task",
      job: view.id,
      run: view.run,
      task,
      wave: view.wave,
      inFlight: view.inFlight,
      waitingBy: waitingByOf(state, view, context),
      failedBy: Object.fromEntries(view.failedBy),
      skippedBy: Object.fromEntries(view.skippedBy),
      refusedBy: Object.fromEntries(view.refusedBy),
      tally: view.tally,
    },
  });
}

export function saveOwner(out: Effects, owner: JobOwner): void {
  out.push({ kind: "put", key: keys.owner(owner.id), value: owner.stored() });
}

export function sendStatus(out: Effects, status: JobStatus): void {
  out.push({ kind: "send", topic: topics.counters.name, key: status.job, value: status, latest: true });
}

export function sendEvent(out: Effects, event: CrawlEvent): void {
  out.push({ kind: "send", topic: topics.events.name, key: event.job, value: event });
}

export function sendGrant(out: Effects, owner: JobOwner, task: number): void {
  out.push({
    kind: "send",
    topic: topics.grants.name,
    key: `${owner.id}/${task}`,
    partition: task,
    latest: true,
    value: {
      job: owner.id,
      run: owner.run,
      task,
      granted: owner.granted.get(task) ?? 0,
      recall: owner.recall,
      wave: owner.wave,
      halt: owner.closing ? "ended" : owner.halt,
      ...(owner.deadlineAtMs === null ? {} : { deadlineAtMs: owner.deadlineAtMs }),
      ...(owner.ended ? { over: true, keep: failedOf(owner.sum()) > 0 } : {}),
      ...(owner.retries.order === 0 ? {} : { retry: owner.retries }),
      ...(owner.continues === null ? {} : { continues: owner.continues }),
    },
  });
}
