/**
 * Hosts that the operator has dropped: blocked, with the word that nothing is kept of them, not even that their URLs are
 * known. Should one come back, it is found anew. Sums of jobs stay, and so do units of budgets that hosts share.
 */
import { policyOf } from "@sluice/records";
import { hostOfUnits } from "./budget-rules.ts";
import type { Effects } from "./effects.ts";
import type { JobView } from "./job-view.ts";
import { budgetOfKey, hostOfBlock, keys } from "./keys.ts";
import { put } from "./put.ts";
import { idsOf } from "./settled-block.ts";
import type { FrontierState } from "./state.ts";

export function isForgotten(state: FrontierState, host: string): boolean {
  return policyOf(host, state.policies).blocked?.forget === true;
}

/** A URL that came to its end is known no more, nor what its page leads to. */
export function forgetSettled(state: FrontierState, view: JobView, urlId: string, out: Effects): void {
  // Of a run that has ended nothing is in memory.
  if (view.known.forget(urlId)) view.forgotten += 1;
  for (const [key] of state.entries.first(keys.outlinksOf(view.number, urlId), Number.MAX_SAFE_INTEGER))
    put(state, out, key, null);
}

/** Of a stored block of a host that was dropped. */
export function forgetBlock(
  state: FrontierState,
  view: JobView,
  key: string,
  text: string,
  out: Effects,
): void {
  const host = hostOfBlock(key);
  if (host === null || !isForgotten(state, host)) return;
  put(state, out, key, null);
  for (const urlId of new Set(idsOf(text))) {
    const known = view.known.get(urlId);
    // One that failed and waits again is open: it comes to its end once more.
    if (known === null || known.at === "settled") forgetSettled(state, view, urlId, out);
  }
}

/** Of what is stored of a budget. */
export function forgetBudget(state: FrontierState, key: string, out: Effects): void {
  const host = hostOfUnits(budgetOfKey(key));
  if (host !== null && isForgotten(state, host)) put(state, out, key, null);
}

/** Of budgets that a URL counted for which has just come to its end. */
export function forgetUnits(
  state: FrontierState,
  view: JobView,
  host: string,
  names: readonly string[],
  out: Effects,
): void {
  if (!isForgotten(state, host)) return;
  for (const name of names) if (hostOfUnits(name) === host) put(state, out, keys.budget(view, name), null);
}
