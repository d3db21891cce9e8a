import { topics, type CrawlEvent, type JobStatus } from "@sluice/records";
import type { Effect } from "@sluice/topology";
import type { JobOwner } from "./job-owner.ts";
import type { JobView } from "./job-view.ts";
import { keys } from "./keys.ts";

/** Effects of one step, in order. */
export type Effects = Effect<never>[];

/** Stores what the task knows of the job and tells the owner, in the same transaction. */
export function saveView(
  out: Effects,
  view: JobView,
  task: number,
  partitionOf: (key: string) => number,
): void {
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
    },
  });
}
