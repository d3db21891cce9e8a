/**
 * Budgets of registrable domains, whose hosts lie in different tasks: the task that the domain hashes to adds up what
 * tasks have used and hands out what is left, as the owner of a job does with its pages.
 */
import { topics, type BudgetCounters, type BudgetGrant } from "@sluice/records";
import type { StepContext } from "@sluice/topology";
import { allot, type Share } from "./allotment.ts";
import { budgetOfHost, domainBudgetName, formerBudget, hostOfBudget } from "./budget-rules.ts";
import { giveBackUnits, openGates, returnAll } from "./budget-units.ts";
import { budgetKey, putUnits, report, unitsOf } from "./units.ts";
import { Ceilings } from "./ceilings.ts";
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
  /** By which it was reckoned last; null: by none, for no policy sets it any more. Missing: by what the job says. */
  readonly max?: number | null;
  /** How often less was allowed than before. */
  readonly cuts?: number;
}

/** A task has told what it has used, and what it wants. */
export function foldBudget(
  state: FrontierState,
  counters: BudgetCounters,
  out: Effects,
  context: StepContext,
): void {
  const { job, run, task, domain, unit, used, returned, wanted } = counters;
  const name = domainBudgetName(unit, domain);
  const stored = state.entries.get(keys.sharedBudget(job, name)) as StoredBudget | undefined;
  if (stored !== undefined && stored.run > run) return;
  // The task may know of a policy that this one has not read of.
  const max = maxOf(state, job, run, name, context) ?? counters.max;
  const before: StoredBudget = stored?.run === run ? stored : { run, recall: false, tasks: {}, max };
  const known = before.tasks[task] ?? { granted: 0, returned: 0, wanted: 0, used: 0 };
  // One that comes twice may come late.
  const mine: TaskShare = {
    ...known,
    used: Math.max(used, known.used),
    returned: Math.max(returned, known.returned),
    wanted: Math.max(wanted, known.wanted),
  };
  reckon(state, job, name, { ...before, tasks: { ...before.tasks, [task]: mine } }, max, out, context);
}

/** What the job or a policy allows now; null: nothing is limited. Undefined: the run is not known here. */
function maxOf(
  { ceilings }: Pick<FrontierState, "ceilings">,
  id: string,
  run: number,
  name: string,
  context: StepContext,
): number | null | undefined {
  const job = jobOf(context, id);
  return job?.run === run ? (budgetOfHost(job, name, ceilings)?.max ?? null) : undefined;
}

/** By what it was reckoned last. */
function formerMaxOf(
  { max, run }: StoredBudget,
  id: string,
  name: string,
  context: StepContext,
): number | null | undefined {
  return max === undefined ? maxOf(ofJobs, id, run, name, context) : max;
}

/** As if no policy said anything. */
const ofJobs = { ceilings: new Ceilings() };

/** Hands out what is left and tells those tasks that have to know of it: of another maximum all. */
function reckon(
  state: FrontierState,
  job: string,
  name: string,
  before: StoredBudget,
  max: number,
  out: Effects,
  context: StepContext,
): void {
  const tasks = new Map<number, TaskShare>();
  for (const [number, share] of Object.entries(before.tasks)) tasks.set(Number(number), share);
  let usedInAll = 0;
  for (const each of tasks.values()) usedInAll += each.used;
  const spent = usedInAll >= max;
  const { granted, isUnmet } = spent
    ? { granted: new Map<number, number>(), isUnmet: false }
    : allot(max, tasks);
  const former = formerMaxOf(before, job, name, context) ?? (before.max === null ? null : max);
  const isChanged = former !== max;
  // What was handed out goes back then: it may be more than is left.
  const cuts = (before.cuts ?? 0) + (isChanged && max < (former ?? Infinity) ? 1 : 0);
  const told = new Set<number>();
  for (const [each, { told: knows, ...share }] of tasks) {
    const total = granted.get(each) ?? share.granted;
    const isNews = spent ? knows !== true : total !== share.granted || isUnmet !== before.recall;
    if (isNews || isChanged) told.add(each);
    tasks.set(each, { ...share, granted: total, ...(spent ? { told: true as const } : {}) });
  }
  const { run } = before;
  const stored: StoredBudget = { run, recall: isUnmet, tasks: Object.fromEntries(tasks), max, cuts };
  put(state, out, keys.sharedBudget(job, name), stored);
  const domain = hostOfBudget(name);
  const unit = name === domainBudgetName("hosts", domain) ? "hosts" : "pages";
  for (const each of told) {
    const share = tasks.get(each)?.granted ?? 0;
    const about = { kind: "budget" as const, job, run, task: each, domain, unit } as const;
    const value: BudgetGrant = { ...about, granted: share, recall: isUnmet, spent, max, cuts };
    out.push({
      kind: "send",
      topic: topics.grants.name,
      key: budgetKey(job, each, name),
      partition: each,
      latest: true,
      value,
    });
  }
}

/** Reckons a piece of what this task hands out anew, where policies have changed it since; the last key of it, or null at the end. */
export function reckonSome(
  state: FrontierState,
  after: string | undefined,
  out: Effects,
  context: StepContext,
): string | null {
  const found = state.entries.first(keys.sharedBudgets, pieceMax, after);
  for (const [key, value] of found) {
    const before = value as StoredBudget;
    const [, job = "", name = ""] = key.split("|");
    const max = maxOf(state, job, before.run, name, context);
    if (max === undefined || formerMaxOf(before, job, name, context) === max) continue;
    // Should it be set again, that is a change, and all are told.
    if (max === null) put(state, out, key, { ...before, max } satisfies StoredBudget);
    else reckon(state, job, name, before, max, out, context);
  }
  return found.length < pieceMax ? null : (found.at(-1)?.[0] ?? null);
}

/** From the task of the domain. */
export function receiveBudgetGrant(
  state: FrontierState,
  { job: id, run, domain, unit, granted, recall, spent, max, cuts }: BudgetGrant,
  out: Effects,
  nowMs: number,
  context: StepContext,
): void {
  const view = state.views.get(id);
  const job = jobOf(context, id);
  if (view === undefined || view.run !== run || job === undefined) return;
  const name = domainBudgetName(unit, domain);
  // Of one that no policy sets now what was granted has to be known, should it be set again.
  const budget = budgetOfHost(job, name, state.ceilings) ?? formerBudget(name);
  const isFormer = budget.max === Infinity;
  const units = unitsOf(state, view, name);
  units.granted = Math.max(units.granted, granted);
  units.recall = recall;
  units.spent = max === undefined ? units.spent || spent : spent;
  const isCut = (cuts ?? 0) > units.cuts;
  const isOther = isCut || (units.under !== null && units.under !== max);
  // Less is allowed in all, so what nobody has taken yet may be too much.
  if (isCut) returnAll(state, view, job, budget, units);
  units.cuts = cuts ?? units.cuts;
  units.under = max ?? units.under;
  const returned = giveBackUnits(state, view, job, budget, units);
  putUnits(state, view, budget, units, out);
  if (isFormer) return;
  if (returned || isOther) report(view, budget, units, out, context);
  openGates(state, view, budget, out, context);
  if (view.halt === null) wakeHeld(state, view, budget, out, nowMs);
}

/**
 * Forgets a piece of what is kept of budgets of former runs; true where there was some. A job that was submitted under the id
 * since keeps what it has.
 */
export function forgetBudgets(state: FrontierState, out: Effects, context: StepContext): boolean {
  for (const [job, { lastRun, after }] of state.forgetting) {
    const prefix = keys.sharedBudgetsOf(job);
    const found = state.entries.first(prefix, pieceMax, after);
    const present = jobOf(context, job)?.run ?? lastRun + 1;
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
    else state.forgetting.set(job, { lastRun, after: last });
    return true;
  }
  return false;
}
