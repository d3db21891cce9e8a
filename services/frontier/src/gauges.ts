import type { Gauges, Measurement, RunningTask } from "@sluice/process";
import type { Job } from "@sluice/records";
import type { HostQueue } from "./core/host-queue.ts";
import { jobOf } from "./core/jobs.ts";
import { stateOf } from "./core/ownership.ts";
import { isHeld } from "./core/release.ts";
import type { FrontierState } from "./core/state.ts";

type Reason = "ready" | "window" | "total" | "grant" | "due_time" | "paused" | "back_pressure";
type Count = (metric: Measurement["metric"], value: number, labels?: Measurement["labels"]) => void;

/** Topics whose records may wait for the job they name. */
const pendingTopics = 2;

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
  for (const { urls, waiting, inFlight, tally } of state.views.values()) {
    count("sluice_frontier_known_urls", urls.size);
    const states = { waiting, released: inFlight, ...pick(tally) };
    for (const [name, value] of Object.entries(states)) count("sluice_frontier_urls", value, { state: name });
  }
  count("sluice_frontier_waiting_urls", state.delayed.size, { reason: "due_time" });
  count("sluice_frontier_unanswered_urls", state.total.outstanding);
  count("sluice_frontier_unanswered_urls_limit", state.options.releasedMax);
}

const pick = ({ done, failed, skipped }: { done: number; failed: number; skipped: number }) => ({
  done,
  failed,
  skipped,
});

function gaugeHosts({ state, context }: RunningTask<FrontierState>, nowMs: number, count: Count): void {
  const held = isHeld(context);
  const jobs = new Map<string, Job | undefined>();
  const job = (id: string): Job | undefined => {
    if (!jobs.has(id)) jobs.set(id, jobOf(context, id));
    return jobs.get(id);
  };
  const waiting = new Map<Reason, number>();
  const hosts = { ready: 0, held: 0, window: 0, answering: 0 };
  let overdue = 0;
  for (const host of state.hosts.values()) {
    const reasons = new Set<Reason>();
    for (const [reason, urls] of waitingOn(state, host, job, held)) {
      if (urls === 0) continue;
      reasons.add(reason);
      waiting.set(reason, (waiting.get(reason) ?? 0) + urls);
    }
    if (reasons.has("ready")) hosts.ready += 1;
    else if (reasons.has("window") || reasons.has("total")) hosts.window += 1;
    else if (reasons.size > 0) hosts.held += 1;
    else if (host.window.outstanding > 0) hosts.answering += 1;
    overdue += host.window.expired(nowMs).length;
  }
  for (const [reason, urls] of waiting) count("sluice_frontier_waiting_urls", urls, { reason });
  for (const [name, value] of Object.entries(hosts)) count("sluice_frontier_hosts", value, { state: name });
  count("sluice_frontier_overdue_urls", overdue);
}

/** What waits on one host, by what holds it. */
function* waitingOn(
  state: FrontierState,
  host: HostQueue,
  job: (id: string) => Job | undefined,
  held: boolean,
): Iterable<readonly [Reason, number]> {
  for (const { job: id, granted, fresh } of host.sizes()) {
    const view = state.views.get(id);
    if (view === undefined || view.halt !== null) continue;
    const all = granted + fresh;
    const known = job(id);
    if (held) yield ["back_pressure", all];
    else if (known?.run !== view.run || known.desired !== "running") yield ["paused", all];
    else if (state.total.demand() === 0) yield ["total", all];
    else if (host.window.demand() === 0) yield ["window", all];
    else if (known.limits.maxPages === null || view.grantsHeld > 0) yield ["ready", all];
    else {
      yield ["ready", granted];
      yield ["grant", fresh];
    }
  }
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
