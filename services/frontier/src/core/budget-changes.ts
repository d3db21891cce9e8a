/**
 * What follows where a policy allows more or less of hosts than before: what waits there has its turn by the new word, and what
 * this task hands out of domains is reckoned by it. As much as is looked through for it takes a piece a step.
 */
import { mayConcern } from "@sluice/records";
import type { StepContext } from "@sluice/topology";
import type { Effects } from "./effects.ts";
import { keys, parseHeld } from "./keys.ts";
import { reckonSome } from "./shared-budgets.ts";
import type { FrontierState, Recount } from "./state.ts";

/** Budgets with URLs that are held, of which one step finds so many. */
const pieceMax = 200;

/** A policy was set, changed or taken back. */
export function ceilingsChanged(state: FrontierState, pattern: string, context: StepContext): void {
  if (!state.ceilings.take(pattern, context)) return;
  for (const domain of state.hosts.keys()) if (mayConcern(pattern, domain)) state.makeReady(domain);
  // From the beginning, also where one is under way: what it has passed may be meant now.
  state.recount = { of: "shared", after: undefined };
}

/** A task was taken up: policies may have changed since it was left. URLs that are held are looked at anyway. */
export function loadCeilings(state: FrontierState, context: StepContext): void {
  state.ceilings.takeAll(context);
  if (state.entries.first(keys.sharedBudgets, 1).length > 0)
    state.recount = { of: "shared", after: undefined };
}

/** Goes through a piece; true where there was one. */
export function recountSome(state: FrontierState, out: Effects, context: StepContext): boolean {
  if (state.recount === null) return false;
  const { of, after } = state.recount;
  state.recount = of === "shared" ? sharedAfter(state, after, out, context) : heldAfter(state, after);
  return true;
}

function sharedAfter(
  state: FrontierState,
  after: string | undefined,
  out: Effects,
  context: StepContext,
): Recount {
  const last = reckonSome(state, after, out, context);
  return last === null ? { of: "held", after: undefined } : { of: "shared", after: last };
}

/** All that is held may go on, or is to be given up: one read finds what is held by one budget. */
function heldAfter(state: FrontierState, from: string | undefined): Recount | null {
  let after = from;
  for (let left = pieceMax; left > 0; left -= 1) {
    const [found] = state.entries.first("h", 1, after);
    if (found === undefined) return null;
    const { view, name } = parseHeld(found[0]);
    const prefix = keys.heldBy(view, name);
    state.unholding.add(prefix);
    // Beyond all keys of this budget: they go on with a bar.
    after = `${prefix.slice(0, -1)}}`;
  }
  return { of: "held", after };
}
