/** Rows of pages that look like one of endlessly many, as they are found to lead on, to something else, or nowhere. */
import type { Job, Link } from "@sluice/records";
import { budgetOfTrap, type Budget } from "./budget-rules.ts";
import { putUnits, unitsOf } from "./units.ts";
import type { Effects } from "./effects.ts";
import type { JobView } from "./job-view.ts";
import type { FrontierState } from "./state.ts";
import { proofsMax, strayBudget, trapBudgets } from "./trap-rules.ts";

/** What the links of one record led to that was not known: URLs of a look, and others. */
export interface Found {
  like: number;
  other: number;
}

/** Judges the page on which links to a host were found by what of them was new. Returns what it is counted by. */
export function judge(
  state: FrontierState,
  view: JobView,
  { scope }: Job,
  { suspicion, kin, further }: Link,
  host: string,
  { like, other }: Found,
  out: Effects,
): readonly Budget[] {
  if (scope.traps === "follow") return [];
  const isNew = other > 0;
  const judged = (suspicion === undefined ? [] : trapBudgets(suspicion, host)).map(budgetOfTrap);
  for (const budget of judged) {
    if (isNew) prove(state, view, budget, further === true, out);
    // A page counts once, by the first record of its links.
    else if (further !== true) lead(state, view, budget, like > 0, out);
  }
  if (kin !== "self" || !isNew) return judged;
  const hosts = budgetOfTrap(strayBudget(host));
  prove(state, view, hosts, further === true, out);
  return [...judged, hosts];
}

/** The page led to something without the look: what was counted before it counts no more. */
function prove(state: FrontierState, view: JobView, budget: Budget, further: boolean, out: Effects): void {
  const units = unitsOf(state, view, budget.name);
  const proofs = further ? Math.max(1, units.proofs) : Math.min(proofsMax, units.proofs + 1);
  if (units.used === 0 && units.leading === 0 && units.proofs === proofs) return;
  putUnits(state, view, budget, { ...units, used: 0, leading: 0, proofs }, out);
}

/** The page led to more of the look and to nothing else, or nowhere, which ends a row. */
function lead(state: FrontierState, view: JobView, budget: Budget, on: boolean, out: Effects): void {
  const units = unitsOf(state, view, budget.name);
  const leading = on ? units.leading + 1 : 0;
  if (leading !== units.leading) putUnits(state, view, budget, { ...units, leading }, out);
}
