import type { Gauges, Measurement, RunningTask } from "@sluice/process";
import type { Job } from "@sluice/records";
import type { HostQueue } from "./core/host-queue.ts";
import { jobOf } from "./core/jobs.ts";
import { stateOf } from "./core/ownership.ts";
import { delayReasons } from "./core/delay-reason.ts";
import type { FrontierState } from "./core/state.ts";
import { isHeld, isRunning, lacksPages } from "./core/waiting.ts";

/** As they were named before they had reasons of their own, where they had none. */
const delayLabels = {
  politeness: "due_time",
  back_off: "back_off",
  breaker: "breaker",
  budget: "budget",
} as const;

/** What may hold a URL in its host's queue; one that waits for its due time is in none. */
const nothing = { ready: 0, window: 0, total: 0, grant: 0, paused: 0, back_pressure: 0 };
type Waiting = { -readonly [Reason in keyof typeof nothing]: number };
const reasons = Object.keys(nothing) as readonly (keyof Waiting)[];
type Count = (metric: Measurement["metric"], value: number, labels?: Measurement["labels"]) => void;

/** Topics whose records may wait for the job they name. */
const pendingTopics = 3;

/** Readers of results that may hold the crawl. */
interface Downstream {
  readonly lag: number;
  readonly lagMax: number;
}

/** What the frontier's tasks hold. Costs as much as there are hosts and jobs, whatever the number of URLs. */
export function gaugeFrontier(downstream: Downstream): Gauges<FrontierState> {
  return (tasks, nowMs) => {
    const found: Measurement[] = [
      { metric: "sluice_frontier_downstream_lag_records", value: downstream.lag },
      { metric: "sluice_frontier_downstream_lag_records_limit", value: downstream.lagMax },
    ];
    const count: Count = (metric, value, labels = {}) => found.push({ metric, value, labels });
    for (const task of tasks) {
      gaugeUrls(task, count);
      gaugeHosts(task, nowMs, count);
      gaugeOwners(task, count);
      gaugePending(task, count);
    }
    return found;
  };
}

function gaugeUrls({ state }: RunningTask<FrontierState>, count: Count): void {
  for (const { known, waiting, inFlight, tally, failed } of state.views.values()) {
    count("sluice_frontier_known_urls", known.size);
    count("sluice_frontier_retried_urls", tally.retried);
    const states = { waiting, released: inFlight, done: tally.done, failed, skipped: tally.skipped };
    for (const [name, value] of Object.entries(states)) count("sluice_frontier_urls", value, { state: name });
  }
  let bytes = 0;
  let diskBytes = 0;
  for (const view of state.views.values()) {
    bytes += view.known.bytes;
    diskBytes += view.known.diskBytes;
    if (view.halt !== null) {
      count("sluice_frontier_waiting_urls", view.waiting, { reason: "ending" });
      continue;
    }
    for (const reason of delayReasons)
      count("sluice_frontier_waiting_urls", view.delayedBy[reason], { reason: delayLabels[reason] });
  }
  count("sluice_frontier_head_urls", state.heads.held);
  count("sluice_frontier_head_urls_limit", state.heads.max);
  count("sluice_frontier_known_bytes", bytes);
  count("sluice_frontier_known_disk_bytes", diskBytes);
  count("sluice_frontier_unanswered_urls", state.total.outstanding);
  count("sluice_frontier_unanswered_urls_limit", state.options.releasedMax);
}

function gaugeHosts(task: RunningTask<FrontierState>, nowMs: number, count: Count): void {
  const { state } = task;
  const waiting: Waiting = { ...nothing };
  const hosts = { ready: 0, held: 0, window: 0, answering: 0 };
  const tell = waitingOf(task);
  let overdue = 0;
  for (const host of state.hosts.values()) {
    const here: Waiting = { ...nothing };
    tell(host, here);
    if (here.ready > 0) hosts.ready += 1;
    else if (here.window + here.total > 0) hosts.window += 1;
    else if (here.grant + here.paused + here.back_pressure > 0) hosts.held += 1;
    else if (host.window.outstanding > 0) hosts.answering += 1;
    for (const reason of reasons) waiting[reason] += here[reason];
    overdue += host.window.overdue(nowMs);
  }
  for (const reason of reasons) count("sluice_frontier_waiting_urls", waiting[reason], { reason });
  for (const [name, value] of Object.entries(hosts)) count("sluice_frontier_hosts", value, { state: name });
  count("sluice_frontier_overdue_urls", overdue);
}

/** Adds what waits on a host to what holds it. */
function waitingOf({ state, context }: RunningTask<FrontierState>): (host: HostQueue, to: Waiting) => void {
  const held = isHeld(context);
  const full = state.total.demand() === 0;
  const jobs = new Map<string, Job | undefined>();
  const jobById = (id: string): Job | undefined => {
    if (!jobs.has(id)) jobs.set(id, jobOf(context, id));
    return jobs.get(id);
  };
  return (host, to) =>
    host.eachSize((id, granted, fresh) => {
      const view = state.views.get(id);
      if (view === undefined || view.halt !== null) return;
      const job = jobById(id);
      const all = granted + fresh;
      if (held) to.back_pressure += all;
      else if (job === undefined || !isRunning(job, view)) to.paused += all;
      else if (full) to.total += all;
      else if (host.window.demand() === 0) to.window += all;
      else if (!view.gated.has(host.domain) && !lacksPages(job, view)) to.ready += all;
      else {
        to.ready += granted;
        to.grant += fresh;
      }
    });
}

function gaugeOwners({ state, context }: RunningTask<FrontierState>, count: Count): void {
  for (const owner of state.owners.values()) {
    const job = jobOf(context, owner.id);
    const name = owner.ended ? "ended" : job === undefined ? "running" : stateOf(owner, job);
    count("sluice_frontier_jobs", 1, { state: name });
  }
}

function gaugePending({ state }: RunningTask<FrontierState>, count: Count): void {
  for (const records of state.pending.values()) {
    count("sluice_frontier_pending_records", records.length);
    for (const { record } of records)
      count("sluice_runtime_lag_records", 1, { topic: record.topic, state: "held" });
  }
  count("sluice_frontier_pending_records_limit", state.options.pendingMax * pendingTopics);
}
