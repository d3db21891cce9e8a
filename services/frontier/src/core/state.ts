import { DemandTotal, WakeQueue } from "@sluice/runtime";
import type { Entry, OpenEntry, StoredEntry } from "./entry.ts";
import { HostQueue } from "./host-queue.ts";
import { JobView, type StoredJobView } from "./job-view.ts";
import { JobOwner, type StoredJobOwner } from "./job-owner.ts";
import type { FrontierOptions } from "../options.ts";
import type { Link, Seed } from "@sluice/records";
import type { InputRecord } from "@sluice/topology";

export const keys = {
  view: (job: string) => `j|${job}`,
  owner: (job: string) => `o|${job}`,
  url: (job: string, urlId: string) => `u|${job}|${urlId}`,
};

/** A record that names a job this instance does not know yet. */
export interface PendingRecord {
  readonly record: InputRecord<Link | Seed>;
  readonly untilMs: number;
}

/** Everything one frontier task knows. Built from its durable entries; the rest is derived. */
export class FrontierState {
  readonly options: FrontierOptions;
  readonly views = new Map<string, JobView>();
  readonly owners = new Map<string, JobOwner>();
  readonly hosts = new Map<string, HostQueue>();
  readonly total: DemandTotal;
  /** Domains that may have something to release, in the order of their turns. */
  readonly ready = new Set<string>();
  /** URLs that wait for their due time, as `job|urlId`. */
  readonly delayed = new WakeQueue();
  readonly pending = new Map<string, PendingRecord[]>();
  seq = 0;

  constructor(options: FrontierOptions) {
    this.options = options;
    this.total = new DemandTotal(options.releasedMax);
  }

  host(domain: string): HostQueue {
    let host = this.hosts.get(domain);
    if (host === undefined) {
      host = new HostQueue(domain, this.options.windowMax, this.total);
      this.hosts.set(domain, host);
    }
    return host;
  }

  /** Puts a waiting URL where it will be released from: its domain's queue, or behind its due time. */
  enqueue(view: JobView, entry: OpenEntry, nowMs: number): void {
    if (entry.dueAtMs > nowMs) {
      this.delayed.set(`${view.id}|${entry.urlId}`, entry.dueAtMs);
      return;
    }
    this.host(entry.domain).push(view.id, entry.urlId, entry.depth, entry.granted);
    view.hosts.add(entry.domain);
    this.ready.add(entry.domain);
  }

  /** The job may release again: all domains on which it has something waiting get their turn. */
  readyAll(view: JobView): void {
    for (const domain of view.hosts) this.ready.add(domain);
  }
}

/** Rebuilds the state of a task. What waits for a time that has passed is found by the first wake. */
export function loadFrontier(
  options: FrontierOptions,
  entries: Iterable<readonly [string, unknown]>,
): FrontierState {
  const state = new FrontierState(options);
  const urls: [string, string, StoredEntry][] = [];
  for (const [key, value] of entries) {
    const [kind, job, urlId] = key.split("|");
    if (job === undefined) continue;
    if (kind === "j") {
      const stored = value as StoredJobView;
      state.views.set(job, new JobView(job, stored.run, stored));
    } else if (kind === "o") {
      state.owners.set(job, JobOwner.from(job, value as StoredJobOwner));
    } else if (kind === "u" && urlId !== undefined) {
      urls.push([job, urlId, value as StoredEntry]);
    }
  }
  const waiting: [JobView, OpenEntry][] = [];
  for (const [job, urlId, { run, ...entry }] of urls) {
    const view = state.views.get(job);
    if (view === undefined || view.run !== run) continue;
    view.urls.set(urlId, entry as Entry);
    if (entry.kind !== "open") continue;
    state.seq = Math.max(state.seq, entry.seq + 1);
    if (entry.releaseId === null) {
      view.waits(entry);
      waiting.push([view, entry]);
    } else {
      view.inFlight += 1;
      state.host(entry.domain).window.restore(entry.releaseId, entry.leaseUntilMs);
    }
  }
  waiting.sort(([, a], [, b]) => a.seq - b.seq);
  for (const [view, entry] of waiting) state.enqueue(view, entry, 0);
  return state;
}
