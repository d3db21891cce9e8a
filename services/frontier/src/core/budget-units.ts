/**
 * What a task has of the budgets of a job, counted like page grants: a URL takes a unit of each budget it falls under
 * with its first release, keeps it until it comes to its end, and gives it back where that is without a result.
 */
import type { Job, Outcome } from "@sluice/records";
import type { StepContext } from "@sluice/topology";
import {
  budgetOfHost,
  budgetsOfHost,
  domainBudgetName,
  formerBudget,
  hostOfBudget,
  type Budget,
} from "./budget-rules.ts";
import type { Effects } from "./effects.ts";
import type { OpenEntry } from "./entry.ts";
import type { JobView } from "./job-view.ts";
import { jobOf } from "./jobs.ts";
import { keys } from "./keys.ts";
import { put } from "./put.ts";
import type { FrontierState } from "./state.ts";
import { isSpent, putUnits, report, roomIn, unitsOf, unusedOf, type Units } from "./units.ts";

/** A host takes its unit once, with its first page. */
const isHostsBudget = ({ shared }: Budget): boolean => shared?.unit === "hosts";

function hasUnit(state: FrontierState, view: JobView, budget: Budget, host: string): boolean {
  return isHostsBudget(budget) && state.entries.get(keys.budget(view, hostMark(host))) !== undefined;
}

const hostMark = (host: string): string => `m/${host}`;

export interface Lack {
  readonly budget: Budget;
  readonly isSpent: boolean;
}

/** What a URL of the host lacks to be released: what will never be there goes before what may be. Null: nothing. */
export function lackOf(
  state: FrontierState,
  view: JobView,
  budgets: readonly Budget[],
  host: string,
): Lack | null {
  let lack: Lack | null = null;
  for (const budget of budgets) {
    if (hasUnit(state, view, budget, host)) continue;
    const units = unitsOf(state, view, budget.name);
    if (isSpent(budget, units)) return { budget, isSpent: true };
    if (roomIn(budget, units) <= 0) lack ??= { budget, isSpent: false };
  }
  return lack;
}

/** Budgets that all URLs of the domain fall under: of host names that share one politeness key, not those of one host. */
export function budgetsOfAll(
  { options, ceilings }: FrontierState,
  job: Job,
  domain: string,
): readonly Budget[] {
  const budgets = budgetsOfHost(job, domain, ceilings);
  return options.politenessKey === "host"
    ? budgets
    : budgets.filter(({ reason }) => reason === "domain_pages");
}

/** A URL that lacks nothing takes its units. Returns what has to be kept of them (`OpenEntry.units`). */
export function takeUnits(
  state: FrontierState,
  view: JobView,
  budgets: readonly Budget[],
  host: string,
  out: Effects,
  context: StepContext,
): readonly string[] {
  const taken: string[] = [];
  for (const budget of budgets) {
    if (hasUnit(state, view, budget, host)) continue;
    const units = unitsOf(state, view, budget.name);
    if (isHostsBudget(budget)) {
      units.used += 1;
      put(state, out, keys.budget(view, hostMark(host)), 1);
    } else units.out += 1;
    putUnits(state, view, budget, units, out);
    if (isHostsBudget(budget)) report(view, budget, units, out, context);
    else if (!budget.isOfJob) taken.push(budget.name);
  }
  return taken;
}

/** What of a URL's end counts in budgets. */
export type Ending = Pick<Outcome, "kind" | "ok" | "linkRecords" | "strays">;

/**
 * A URL that held its units has come to its end. It is none of the pages that a policy counts which was set after its release;
 * of one that was lifted since it is, should it be set again.
 */
export function settleUnits(
  state: FrontierState,
  view: JobView,
  job: Job,
  entry: OpenEntry,
  budgets: readonly Budget[],
  { kind, ok, linkRecords, strays }: Ending,
  out: Effects,
  context: StepContext,
): void {
  const names = new Set(budgets.map(({ name }) => name));
  const former = entry.units.filter((name) => !names.has(name)).map(formerBudget);
  for (const budget of [...budgets, ...former]) {
    if (isHostsBudget(budget) || !(budget.isOfJob || entry.units.includes(budget.name))) continue;
    const units = unitsOf(state, view, budget.name);
    const isFree = kind !== "settled" || (budget.trap?.counts === "strays" && strays !== true);
    const how = isFree ? "freed" : "used";
    // It leads nowhere at all.
    if (ok && linkRecords === 0) units.leading = 0;
    // One that an older version released holds none.
    units.out = Math.max(0, units.out - 1);
    if (how === "used") units.used += 1;
    const returned = giveBackUnits(state, view, job, budget, units);
    putUnits(state, view, budget, units, out);
    if (budget.shared === null || budget.max === Infinity) continue;
    if (how === "used" || returned) report(view, budget, units, out, context);
    if (how === "freed") openGates(state, view, budget, out, context);
  }
}

/** Asks for as much as could be used at once, where that has not been asked for. */
export function askForUnits(
  state: FrontierState,
  view: JobView,
  budget: Budget,
  domain: string,
  out: Effects,
  context: StepContext,
): void {
  if (budget.shared === null) return;
  const units = unitsOf(state, view, budget.name);
  const waiting = isHostsBudget(budget)
    ? 1 + view.gated.othersFor(budget.name, domain)
    : (state.hosts.get(domain)?.freshOf(view.id) ?? 0);
  const wanted = units.granted + Math.max(1, Math.min(waiting, state.options.grantsAtOnce));
  if (wanted <= units.wanted) return;
  units.wanted = wanted;
  putUnits(state, view, budget, units, out);
  report(view, budget, units, out, context);
}

/** Where others want units, those that nothing could use here go back. True where some did. */
export function giveBackUnits(
  state: FrontierState,
  view: JobView,
  job: Job,
  budget: Budget,
  units: Units,
): boolean {
  if (budget.shared === null || !units.recall) return false;
  const room = roomIn(budget, units);
  if (room <= 0) return false;
  const spare = room - needOf(state, view, job, budget, budget.shared.domain, room);
  if (spare <= 0) return false;
  units.returned += spare;
  return true;
}

/** All that nobody has taken goes back, and what waits here asks for it anew. */
export function returnAll(state: FrontierState, view: JobView, job: Job, budget: Budget, units: Units): void {
  const { domain } = budget.shared ?? {};
  units.returned += Math.max(0, unusedOf(units));
  if (domain === undefined) return;
  const { grantsAtOnce } = state.options;
  units.wanted = Math.max(
    units.wanted,
    units.granted + needOf(state, view, job, budget, domain, grantsAtOnce),
  );
}

/** What waits has become less: units that nothing could use any more go back, where others want them. */
export function returnSpare(
  state: FrontierState,
  view: JobView,
  job: Job,
  budget: Budget,
  out: Effects,
  context: StepContext,
): void {
  if (budget.shared === null) return;
  const units = unitsOf(state, view, budget.name);
  if (!giveBackUnits(state, view, job, budget, units)) return;
  putUnits(state, view, budget, units, out);
  report(view, budget, units, out, context);
}

/**
 * Units that what waits could use, counted up to `enough`. What lacks a unit of an earlier budget uses none of a later
 * one: else two tasks could each keep what the other lacks.
 */
function needOf(
  state: FrontierState,
  view: JobView,
  job: Job,
  budget: Budget,
  domain: string,
  enough: number,
): number {
  const areHosts = isHostsBudget(budget);
  let need = state.entries.first(keys.heldBy(view.number, budget.name), enough).length;
  // Where host names share a politeness key, no other task has any of the domain.
  const isOpen = areHosts || state.options.politenessKey !== "host" || !lacksHosts(state, view, job, domain);
  for (const host of view.hosts.of(domain)) {
    if (need >= enough) break;
    const fresh = state.hosts.get(host)?.freshOf(view.id) ?? 0;
    if (fresh === 0) continue;
    const isMarked = state.entries.get(keys.budget(view, hostMark(host))) !== undefined;
    if (areHosts) need += isMarked ? 0 : 1;
    else if (isMarked || isOpen) need += fresh;
  }
  return need;
}

/** A host of the domain that has no unit yet finds none. */
function lacksHosts(state: FrontierState, view: JobView, job: Job, domain: string): boolean {
  for (const budget of budgetsOfHost(job, domain, state.ceilings).filter(isHostsBudget)) {
    const units = unitsOf(state, view, budget.name);
    if (isSpent(budget, units) || roomIn(budget, units) <= 0) return true;
  }
  return false;
}

/**
 * As many hosts as there are units for have their turn again, or all where none will ever come; for those that still wait more is
 * asked for. A host that by now lacks a unit of another budget, for others had those that there were, has its turn to wait
 * for that one: asking for units that it could not use would go on for ever. True where some have it.
 */
export function openGates(
  state: FrontierState,
  view: JobView,
  budget: Budget,
  out: Effects,
  context: StepContext,
): boolean {
  const units = unitsOf(state, view, budget.name);
  const room = isSpent(budget, units) ? Infinity : Math.max(0, roomIn(budget, units));
  const elsewhere = room <= 0 && isFirstElsewhere(state, view, budget, context) ? 1 : 0;
  const limit = Math.max(elsewhere, room - passed(view, budget));
  const opened = view.gated.openSome(budget.name, limit, room > 0 || limit > 0);
  for (const domain of opened) state.makeReady(domain);
  state.opening.add(view.id);
  const next = view.gated.firstFor(budget.name);
  if (next !== undefined) askForUnits(state, view, budget, next, out, context);
  return opened.length > 0;
}

/**
 * Hosts that have passed the gate of a budget of hosts and taken nothing yet, for they wait for pages. They are all that wait for
 * those: some may have taken their unit, but more could not be released before those are. Were it not for them, each
 * unit would let all hosts go from one gate to the other, and back.
 */
function passed(view: JobView, budget: Budget): number {
  if (!isHostsBudget(budget)) return 0;
  return view.gated.allFor(domainBudgetName("pages", hostOfBudget(budget.name)));
}

/** The host that has waited longest for the budget lacks a unit of another one. */
function isFirstElsewhere(
  state: FrontierState,
  view: JobView,
  { name }: Budget,
  context: StepContext,
): boolean {
  const host = view.gated.firstFor(name);
  const job = jobOf(context, view.id);
  if (host === undefined || job === undefined) return false;
  const lack = lackOf(state, view, budgetsOfAll(state, job, host), host);
  return lack !== null && lack.budget.name !== name;
}

/** Hosts that had their turn may have left units for others: these have theirs. True where some have. */
export function openMoreGates(state: FrontierState, out: Effects, context: StepContext): boolean {
  let some = false;
  for (const id of state.opening) {
    const view = state.views.get(id);
    const job = jobOf(context, id);
    if (view === undefined || job === undefined) {
      state.opening.delete(id);
      continue;
    }
    for (const name of view.gated.opening) {
      const budget = budgetOfHost(job, name, state.ceilings);
      if (budget === undefined) view.gated.stopOpening(name);
      else if (openGates(state, view, budget, out, context)) some = true;
    }
    if (view.gated.opening.size === 0) state.opening.delete(id);
  }
  return some;
}
