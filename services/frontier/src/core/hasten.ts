import { mayConcern, topics, type Policy } from "@sluice/records";
import type { StepContext } from "@sluice/topology";
import type { Effects } from "./effects.ts";
import { keys, parseDelayed } from "./keys.ts";
import { awaitNext, putToWait, takeAway } from "./places.ts";
import { readEntry } from "./roots.ts";
import type { FrontierState } from "./state.ts";

/** The operator's word counts for so long: a policy that is only read again says nothing new. */
const freshMs = 60_000;
/** rate-limit reads the same word by then; before, it would still hold the host for its failures. */
const readMs = 1000;
/** URLs of a job that are looked at, those that are due first. */
const looksMax = 1000;

/**
 * The operator has said that failures of some hosts count no more: what waits because of them is released soon, and
 * not when it was due. What has to wait all the same comes back with its due time.
 */
export function hasten(
  state: FrontierState,
  pattern: string,
  out: Effects,
  nowMs: number,
  context: StepContext,
): void {
  const policy = context.tables[topics.policies.name]?.get(pattern) as Policy | undefined;
  const beforeMs = policy?.forgetFailuresBeforeMs ?? 0;
  if (beforeMs === 0 || nowMs - beforeMs > freshMs) return;
  for (const view of state.views.values()) {
    if (view.halt !== null || view.delayed === 0) continue;
    let isChanged = false;
    for (const [key, value] of state.entries.first(keys.all("d", view.number), looksMax)) {
      const parsed = parseDelayed(key);
      if (parsed.dueAtMs <= nowMs + readMs || !mayConcern(pattern, parsed.domain)) continue;
      const entry = readEntry(state, view.number, parsed, value);
      takeAway(state, view, { key, entry }, out);
      entry.dueAtMs = nowMs + readMs;
      putToWait(state, view, entry, out, nowMs);
      isChanged = true;
    }
    if (isChanged) awaitNext(state, view);
  }
}
