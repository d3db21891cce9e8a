import {
  topics,
  type BudgetCounters,
  type BudgetGrant,
  type Counters,
  type Grant,
  type Job,
  type Link,
  type Outcome,
  type Seed,
} from "@sluice/records";
import type { InputRecord, Step, StepContext } from "@sluice/topology";
import { blockChanged, sweepIfBlocked, sweepSome } from "./core/blocking.ts";
import { ceilingsChanged, loadCeilings, recountSome } from "./core/budget-changes.ts";
import { saveView, type Effects } from "./core/effects.ts";
import { receiveBudget, receiveLinks, receiveSeed, retryPending } from "./core/intake.ts";
import { clearSome, haltIfCancelled, receiveGrant, resumeJob } from "./core/halting.ts";
import { hasten } from "./core/hasten.ts";
import { storeFormer } from "./core/former-entries.ts";
import { wakeSomeHeld } from "./core/held-urls.ts";
import { jobIds } from "./core/jobs.ts";
import { foldCounters, reconcile, tick } from "./core/ownership.ts";
import { release } from "./core/release.ts";
import { loadFrontier } from "./core/load.ts";
import { receiveOutcome } from "./core/outcomes.ts";
import { wakeDelayed } from "./core/places.ts";
import { forgetFormerRuns, removeJob, removeOrphans } from "./core/removal.ts";
import { forgetBudgets, receiveBudgetGrant } from "./core/shared-budgets.ts";
import type { FrontierState } from "./core/state.ts";
import { defaultFrontierOptions, type FrontierOptions } from "./options.ts";

export type FrontierRecord = InputRecord<Seed | Link | Outcome | Grant | BudgetGrant | Counters>;

export const frontierInputs = [
  topics.seeds.name,
  topics.links.name,
  topics.outcomes.name,
  topics.grants.name,
  topics.counters.name,
];
export const frontierTables = [topics.jobs.name, topics.policies.name];

/** Lanes that wakes come back on; records have one lane each topic, for the frontier finishes them at once. */
export const lanes = {
  delayed: "delayed",
  pending: "pending",
  clearing: "clearing",
  orphans: "orphans",
  job: (id: string) => `job:${id}`,
};

/**
 * The frontier: owns every known URL of its domains. It never waits: links and outcomes are always read, and
 * what it sends on is bounded by the credits that outcomes bring back.
 */
export function frontierStep(
  options: FrontierOptions = defaultFrontierOptions,
): Step<FrontierState, FrontierRecord> {
  return {
    name: "frontier",
    load: (entries, scratch) => loadFrontier(options, entries, scratch),
    laneOf: (record) => record.topic,
    // Only a record that waits for its job stays unfinished: it must not hold up those of other jobs.
    laneWidth: () => options.pendingMax,
    step: (state, input, nowMs, context) => {
      const out: Effects = [];
      state.read(context.entries);
      state.policies = context.tables[topics.policies.name];
      switch (input.kind) {
        case "record":
          receive(state, input.record, out, nowMs, context);
          break;
        case "wake":
          if (input.lane === lanes.delayed) wakeDelayed(state, out, nowMs, context);
          else if (input.lane === lanes.clearing) {
            const isBusy =
              sweepSome(state, out, nowMs, context) ||
              recountSome(state, out, context) ||
              wakeSomeHeld(state, out, nowMs, context) ||
              forgetBudgets(state, out, context);
            if (!isBusy) clearSome(state, out, nowMs, context);
          } else if (input.lane === lanes.orphans) removeOrphans(state, out, context);
          else if (input.lane === lanes.pending) retryPending(state, null, out, nowMs, context);
          else tick(state, input.lane.slice("job:".length), out, nowMs, context);
          break;
        case "table":
          if (input.table === topics.jobs.name) removeJob(state, input.key, out, context);
          if (input.table === topics.jobs.name) jobChanged(state, input.key, out, nowMs, context);
          if (input.table === topics.policies.name) hasten(state, input.key, out, nowMs, context);
          if (input.table === topics.policies.name) blockChanged(state, input.key, context);
          if (input.table === topics.policies.name) ceilingsChanged(state, input.key, context);
          if (input.table === "flow") for (const id of state.views.keys()) tellHeld(state, id, out, context);
          break;
        case "restored":
          loadCeilings(state, context);
          storeFormer(state, out, nowMs, context);
          for (const id of jobIds(context)) jobChanged(state, id, out, nowMs, context);
          for (const id of state.owners.keys()) out.push({ kind: "wake", lane: lanes.job(id), atMs: nowMs });
          wakeDelayed(state, out, nowMs, context);
          sweepIfBlocked(state, context);
          out.push({ kind: "wake", lane: lanes.orphans, atMs: nowMs + options.orphanMs });
          break;
        case "started":
        case "settled":
          throw new Error("the frontier makes no calls");
        default:
          input satisfies never;
      }
      const goesOn = release(state, out, nowMs, context);
      if (goesOn) out.push({ kind: "wake", lane: lanes.delayed, atMs: nowMs });
      askForWakes(state, out, nowMs);
      return out;
    },
  };
}

function receive(
  state: FrontierState,
  record: FrontierRecord,
  out: Effects,
  nowMs: number,
  context: StepContext,
): void {
  switch (record.topic) {
    case topics.seeds.name:
      return receiveSeed(state, record as InputRecord<Seed>, out, nowMs, context);
    case topics.links.name:
      return receiveLinks(state, record as InputRecord<Link>, out, nowMs, context);
    case topics.outcomes.name:
      receiveOutcome(state, record.value as Outcome, out, nowMs, context);
      break;
    case topics.grants.name:
      receiveAnyGrant(state, record.value as Grant | BudgetGrant, out, nowMs, context);
      break;
    case topics.counters.name:
      if ((record.value as Counters).kind === "budget")
        return receiveBudget(state, record as InputRecord<BudgetCounters>, out, nowMs, context);
      foldCounters(state, record.value as Counters, out, nowMs, context);
      break;
    default:
      throw new Error(`the frontier does not read ${record.topic}`);
  }
  out.push({ kind: "finish", id: record.id });
}

function receiveAnyGrant(
  state: FrontierState,
  grant: Grant | BudgetGrant,
  out: Effects,
  nowMs: number,
  context: StepContext,
): void {
  if ("kind" in grant) receiveBudgetGrant(state, grant, out, nowMs, context);
  else receiveGrant(state, grant, out, nowMs, context);
}

/** The job's record was set or changed: all that follows from it is found by comparing, not by the change. */
function jobChanged(
  state: FrontierState,
  id: string,
  out: Effects,
  nowMs: number,
  context: StepContext,
): void {
  const job = context.tables[topics.jobs.name]?.get(id) as Job | undefined;
  if (job === undefined) return;
  state.removed.delete(id);
  forgetFormerRuns(state, job);
  reconcile(state, job, out, nowMs, context);
  haltIfCancelled(state, job, out, context);
  resumeJob(state, job);
  tellHeld(state, id, out, context);
  retryPending(state, id, out, nowMs, context);
}

/** What holds the job's URLs may have changed. */
function tellHeld(state: FrontierState, id: string, out: Effects, context: StepContext): void {
  const view = state.views.get(id);
  if (view !== undefined && view.waiting > 0) saveView(state, view, out, context);
}

function askForWakes(state: FrontierState, out: Effects, nowMs: number): void {
  if (state.unholding.size > 0 || state.forgetting.size > 0 || state.recount !== null)
    out.push({ kind: "wake", lane: lanes.clearing, atMs: nowMs });
  if (state.halting.size > 0 || state.dropping.size > 0 || state.retrying.size > 0 || state.sweeping.size > 0)
    out.push({ kind: "wake", lane: lanes.clearing, atMs: nowMs });
  const dueAtMs = state.delayed.nextAtMs;
  if (dueAtMs !== null) out.push({ kind: "wake", lane: lanes.delayed, atMs: dueAtMs });
  let pendingAtMs = Infinity;
  for (const records of state.pending.values()) {
    for (const { untilMs } of records) pendingAtMs = Math.min(pendingAtMs, untilMs);
  }
  if (pendingAtMs !== Infinity) out.push({ kind: "wake", lane: lanes.pending, atMs: pendingAtMs });
}
