/**
 * Hosts that the operator has blocked: what waits there is given up and forgotten, of all jobs. URLs in a host's queue
 * are given up as their turn comes, which is at once; this goes through those that wait for an instant or for a unit of a
 * budget, and through those that failed and are kept to be asked for again. Of hosts that are dropped it goes through
 * everything, so that nothing waits for the turn of a paused job.
 */
import { hostOf, mayConcern, policyOf, topics, type Policy } from "@sluice/records";
import type { StepContext } from "@sluice/topology";
import { saveView, sendBlocked, type Effects } from "./effects.ts";
import type { OpenEntry, StoredEntry } from "./entry.ts";
import { forgetBlock, forgetBudget } from "./forgetting.ts";
import { giveBack, skip } from "./halting.ts";
import { endUnits, withoutResult } from "./held-urls.ts";
import type { JobView } from "./job-view.ts";
import { keys, parseDelayed, parseFailed, parseHeld, parseQueued } from "./keys.ts";
import { takeAway } from "./places.ts";
import { put } from "./put.ts";
import { readEntry } from "./roots.ts";
import type { FrontierState, Swept } from "./state.ts";

/** Stored URLs that one step looks at. */
const pieceMax = 500;
/** In this order; those from `q` on where some host is dropped. */
const nextOf = { d: "h", h: "x", x: "q", q: "k", k: "b", b: null } as const;
/** Failed URLs whose host was blocked since: they are counted, and kept no more. */
export const forgottenCategory = "blocked";

/** A policy was set or changed. */
export function blockChanged(state: FrontierState, pattern: string, context: StepContext): void {
  if (!isBlocking(context, pattern)) return;
  for (const domain of state.hosts.keys()) if (mayConcern(pattern, domain)) state.makeReady(domain);
  sweepAll(state);
}

/** A task was taken up: what was looked through before is not known. */
export function sweepIfBlocked(state: FrontierState, context: StepContext): void {
  const patterns = context.tables[topics.policies.name]?.keys() ?? [];
  for (const pattern of patterns) if (isBlocking(context, pattern)) return sweepAll(state);
}

function someForgotten(context: StepContext): boolean {
  const policies = (context.tables[topics.policies.name]?.values() ?? []) as Iterable<Policy>;
  for (const { blocked } of policies) if (blocked?.forget === true) return true;
  return false;
}

function isBlocking(context: StepContext, pattern: string): boolean {
  const policy = context.tables[topics.policies.name]?.get(pattern) as Policy | undefined;
  return (policy?.blocked ?? null) !== null;
}

/** From the beginning, also where it is under way: another host may be meant now. */
function sweepAll(state: FrontierState): void {
  state.sweeping.clear();
  for (const id of state.views.keys()) state.sweeping.set(id, { letter: "d", after: undefined });
}

/** Looks through a piece of what is stored of one job; true where there was one. */
export function sweepSome(state: FrontierState, out: Effects, nowMs: number, context: StepContext): boolean {
  for (const [id, { letter, after }] of state.sweeping) {
    const view = state.views.get(id);
    if (view === undefined) {
      state.sweeping.delete(id);
      continue;
    }
    const found = state.entries.first(keys.all(letter, view.number), pieceMax, after);
    for (const [key, value] of found) look[letter](state, view, key, value, out, nowMs, context);
    const last = found.at(-1)?.[0];
    const next = letter === "x" && !someForgotten(context) ? null : nextOf[letter];
    if (found.length === pieceMax) state.sweeping.set(id, { letter, after: last });
    else if (next !== null) state.sweeping.set(id, { letter: next, after: undefined });
    else state.sweeping.delete(id);
    giveBack(view);
    saveView(state, view, out, context);
    return true;
  }
  return false;
}

function blockOf(url: string, context: StepContext): NonNullable<Policy["blocked"]> | null {
  return policyOf(hostOf(url), context.tables[topics.policies.name]).blocked ?? null;
}

type Look = (
  state: FrontierState,
  view: JobView,
  key: string,
  value: unknown,
  out: Effects,
  nowMs: number,
  context: StepContext,
) => void;

const lookAtWaiting =
  (parse: typeof parseDelayed | typeof parseHeld): Look =>
  (state, view, key, value, out, nowMs, context) => {
    const entry = readEntry(state, view.number, parse(key), value);
    const blocked = blockOf(entry.url, context);
    if (blocked === null) return;
    takeAway(state, view, { key, entry }, out);
    giveUpBlocked(state, view, entry, blocked.reason, out, nowMs, context);
  };

/** Those of a job that came to a halt are given up as that, and are in no queue in memory. */
const lookAtQueued: Look = (state, view, key, value, out, nowMs, context) => {
  const entry = readEntry(state, view.number, parseQueued(key), value);
  const blocked = blockOf(entry.url, context);
  if (view.halt !== null || blocked?.forget !== true) return;
  takeAway(state, view, { key, entry }, out);
  state.quiet.add(entry.domain);
  giveUpBlocked(state, view, entry, blocked.reason, out, nowMs, context);
};

const look: Readonly<Record<Swept["letter"], Look>> = {
  d: lookAtWaiting(parseDelayed),
  h: lookAtWaiting(parseHeld),
  x: (state, view, key, value, out, _, context) =>
    forgetFailed(state, view, key, value as StoredEntry, out, context),
  q: lookAtQueued,
  k: (state, view, key, value, out) => forgetBlock(state, view, key, value as string, out),
  b: (state, _, key, __, out) => forgetBudget(state, key, out),
};

/** A URL that waits no more ends without a fetch, with an event and a reason. What it holds of budgets is free again. */
export function giveUpBlocked(
  state: FrontierState,
  view: JobView,
  entry: OpenEntry,
  detail: string,
  out: Effects,
  nowMs: number,
  context: StepContext,
): void {
  sendBlocked(view, entry, detail, out, nowMs);
  skip(state, view, entry, "blocked", out);
  endUnits(state, view, entry, withoutResult, out, nowMs, context);
}

function forgetFailed(
  state: FrontierState,
  view: JobView,
  key: string,
  value: StoredEntry,
  out: Effects,
  context: StepContext,
): void {
  const parsed = parseFailed(key);
  if (blockOf(readEntry(state, view.number, parsed, value).url, context) === null) return;
  put(state, out, key, null);
  if (parsed.run !== view.run) return;
  view.failedNoMore(parsed.category);
  view.failedAs(forgottenCategory);
}
