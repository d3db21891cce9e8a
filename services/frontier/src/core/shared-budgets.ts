/**
 * Budgets of registrable domains, whose hosts lie in different tasks: the task that the domain hashes to adds up what
 * tasks have used and hands out what is left, as the owner of a job does with its pages.
 */
import { topics, type BudgetCounters, type BudgetGrant } from "@sluice/records";
import type { StepContext } from "@sluice/topology";
import { allot, type Share } from "./allotment.ts";
import { budgetOfHost, domainBudgetName } from "./budget-rules.ts";
import { budgetKey, giveBackUnits, openGates, putUnits, report, unitsOf } from "./budget-units.ts";
import type { Effects } from "./effects.ts";
import { wakeHeld } from "./held-urls.ts";
import { jobOf } from "./jobs.ts";
import { keys } from "./keys.ts";
import { put } from "./put.ts";
import type { FrontierState } from "./state.ts";

/** Stored budgets that one step forgets. */
const pieceMax = 200;

interface TaskShare extends Share {
  readonly used: number;
  /** It knows that all is spent. */
  readonly told?: true;
}

interface StoredBudget {
  readonly run: number;
  readonly recall: boolean;
  readonly tasks: Readonly<Record<string, TaskShare>>;
}

/** A task has told what it has used, and what it wants. */
export function foldBudget(state: FrontierState, counters: BudgetCounters, out: Effects): void {
  const { job, run, task, domain, unit, max, used, returned, wanted } = counters;
  const key = keys.sharedBudget(job, domainBudgetName(unit, domain));
  const stored = state.entries.get(key) as StoredBudget | undefined;
  if (stored !== undefined && stored.run > run) return;
  const before: StoredBudget = stored?.run === run ? stored : { run, recall: false, tasks: {} };
  const known = before.tasks[task] ?? { granted: 0, returned: 0, wanted: 0, used: 0 };
  // One that comes twice may come late.
  const mine: TaskShare = {
    ...known,
    used: Math.max(used, known.used),
    returned: Math.max(returned, known.returned),
    wanted: Math.max(wanted, known.wanted),
  };
  const tasks = new Map<number, TaskShare>();
  for (const [number, share] of Object.entries(before.tasks)) tasks.set(Number(number), share);
  tasks.set(task, mine);
  let usedInAll = 0;
  for (const each of tasks.values()) usedInAll += each.used;
  const spent = usedInAll >= max;
  const { granted, isUnmet } = spent
    ? { granted: new Map<number, number>(), isUnmet: false }
    : allot(max, tasks);
  const told = new Set<number>();
  for (const [each, share] of tasks) {
    const total = granted.get(each) ?? share.granted;
    if (spent ? share.told !== true : total !== share.granted || isUnmet !== before.recall) told.add(each);
    tasks.set(each, { ...share, granted: total, ...(spent ? { told: true as const } : {}) });
  }
  put(state, out, key, { run, recall: isUnmet, tasks: Object.fromEntries(tasks) } satisfies StoredBudget);
  for (const each of told) {
    const value: BudgetGrant = {
      kind: "budget",
      job,
      run,
      task: each,
      domain,
      unit,
      granted: tasks.get(each)?.granted ?? 0,
      recall: isUnmet,
      spent,
    };
    out.push({
      kind: "send",
      topic: topics.grants.name,
      key: budgetKey(job, each, domainBudgetName(unit, domain)),
      partition: each,
      latest: true,
      value,
    });
  }
}

/** From the task of the domain. */
export function receiveBudgetGrant(
  state: FrontierState,
  { job: id, run, domain, unit, granted, recall, spent }: BudgetGrant,
  out: Effects,
  nowMs: number,
  context: StepContext,
): void {
  const view = state.views.get(id);
  const job = jobOf(context, id);
  if (view === undefined || view.run !== run || job === undefined) return;
  const name = domainBudgetName(unit, domain);
  const budget = budgetOfHost(job, name);
  if (budget === undefined) return;
  const units = unitsOf(state, view, name);
  units.granted = Math.max(units.granted, granted);
  units.recall = recall;
  units.spent ||= spent;
  const returned = giveBackUnits(state, view, job, budget, units);
  putUnits(state, view, budget, units, out);
  if (returned) report(view, budget, units, out, context);
  openGates(state, view, budget, out, context);
  if (view.halt === null) wakeHeld(state, view, budget, out, nowMs);
}

/**
 * Forgets a piece of what is kept of budgets of jobs that were removed; true where there was some. A job that was submitted under
 * the id since keeps what it has.
 */
export function forgetBudgets(state: FrontierState, out: Effects, context: StepContext): boolean {
  for (const [job, after] of state.forgetting) {
    const prefix = keys.sharedBudgets(job);
    const found = state.entries.first(prefix, pieceMax, after);
    const present = jobOf(context, job)?.run ?? Infinity;
    for (const [key, value] of found) {
      if ((value as StoredBudget).run >= present) continue;
      put(state, out, key, null);
      for (const task of Object.keys((value as StoredBudget).tasks))
        out.push({
          kind: "send",
          topic: topics.grants.name,
          key: budgetKey(job, Number(task), key.slice(prefix.length)),
          partition: Number(task),
          latest: true,
          value: null,
        });
    }
    const last = found.at(-1)?.[0];
    if (found.length < pieceMax || last === undefined) state.forgetting.delete(job);
    else state.forgetting.set(job, last);
    return true;
  }
  return false;
}
