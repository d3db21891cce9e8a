/** What a task has of one budget of a job. Kept with the task's entries, of which only those are read that a URL falls under. */
import { topics } from "@sluice/records";
import type { StepContext } from "@sluice/topology";
import { domainBudgetName, hostOfBudget, type Budget } from "./budget-rules.ts";
import type { Effects } from "./effects.ts";
import type { JobView } from "./job-view.ts";
import { keys } from "./keys.ts";
import { put } from "./put.ts";
import { isFutile, isOfTrap, roomOfTrap } from "./trap-rules.ts";
import type { FrontierState } from "./state.ts";

export interface Units {
  /** Held by URLs that are released, or wait to be again. */
  out: number;
  used: number;
  /** What follows is of shared budgets: totals as in page grants. */
  granted: number;
  returned: number;
  wanted: number;
  recall: boolean;
  /** All tasks together have used it up. */
  spent: boolean;
  /** The most that these were reckoned by; null: nobody has said. */
  under: number | null;
  /** How often less was allowed than before, as far as is known here. */
  cuts: number;
  /** What follows is of traps (`Row`). */
  leading: number;
  proofs: number;
}

/**
 * Durable form; the id of the job where the budget is shared, for what has to be taken back when it is removed. What is
 * of traps lies where what is of shared budgets does.
 */
type StoredUnits = readonly [
  out: number,
  used: number,
  granted: number,
  returned: number,
  wanted: number,
  flags: number,
  job?: string,
  under?: number,
  cuts?: number,
];

export function unitsOf(state: FrontierState, view: JobView, name: string): Units {
  const stored = state.entries.get(keys.budget(view, name)) as StoredUnits | undefined;
  const [out = 0, used = 0, granted = 0, returned = 0, wanted = 0, flags = 0, , under = null, cuts = 0] =
    stored ?? [];
  const none = { granted: 0, returned: 0, wanted: 0, recall: false, spent: false, under: null, cuts: 0 };
  if (isOfTrap(name)) return { ...none, out, used, leading: granted, proofs: returned };
  const [recall, spent] = [(flags & 1) > 0, (flags & 2) > 0];
  return { out, used, granted, returned, wanted, recall, spent, under, cuts, leading: 0, proofs: 0 };
}

export function putUnits(
  state: FrontierState,
  view: JobView,
  { name, shared, trap }: Budget,
  { out: held, used, granted, returned, wanted, recall, spent, under, cuts, leading, proofs }: Units,
  out: Effects,
): void {
  if (trap !== null) return put(state, out, keys.budget(view, name), [held, used, leading, proofs, 0, 0]);
  const flags = (recall ? 1 : 0) + (spent ? 2 : 0);
  const more = shared === null ? [] : under === null ? [view.id] : [view.id, under, cuts];
  put(state, out, keys.budget(view, name), [held, used, granted, returned, wanted, flags, ...more]);
}

/** What is stored of a budget goes, and so does what was said of it, unless a later run has said something since. */
export function unsayBudget(
  state: FrontierState,
  key: string,
  stored: unknown,
  out: Effects,
  { task, partitionOf }: StepContext,
): void {
  const job = Array.isArray(stored) ? (stored as unknown as StoredUnits)[6] : undefined;
  if (job === undefined) return;
  const [, , name = ""] = key.split("|");
  const present = state.views.get(job);
  if (present !== undefined && state.entries.get(keys.budget(present, name)) !== undefined) return;
  out.push({
    kind: "send",
    topic: topics.counters.name,
    key: budgetKey(job, task, name),
    partition: partitionOf(hostOfBudget(name)),
    latest: true,
    value: null,
  });
}

/** Units that the next URL may take. Those that were granted when more were allowed are nobody's until they are reckoned anew. */
export function roomIn(budget: Budget, units: Units): number {
  const { max, shared, trap } = budget;
  if (trap !== null) return roomOfTrap(trap, units);
  if (shared === null) return max - units.out - units.used;
  return units.under !== null && units.under > max ? 0 : unusedOf(units);
}

/** Of what was granted. */
export const unusedOf = ({ granted, returned, out, used }: Units): number => granted - returned - out - used;

/** Nothing of it can come back. */
export function isSpent({ max, shared, trap }: Budget, units: Units): boolean {
  if (trap !== null) return isFutile(trap, units);
  if (shared === null) return units.used >= max;
  // Where more is allowed since, the task that adds it up has not said so yet.
  return units.spent && (units.under === null || units.under >= max);
}

/** Tells the task of the domain, in the same transaction. */
export function report(
  view: JobView,
  { max, shared }: Budget,
  { used, returned, wanted }: Units,
  out: Effects,
  { task, partitionOf }: StepContext,
): void {
  if (shared === null) return;
  const { unit, domain } = shared;
  out.push({
    kind: "send",
    topic: topics.counters.name,
    key: budgetKey(view.id, task, domainBudgetName(unit, domain)),
    partition: partitionOf(domain),
    latest: true,
    value: { kind: "budget", job: view.id, run: view.run, task, domain, unit, max, used, returned, wanted },
  });
}

/** Under which what is said of a shared budget lies in `crawl.counters` and `crawl.grants`. */
export const budgetKey = (job: string, task: number, name: string): string => `${job}/${task}/${name}`;
