/** URLs that failed and are asked for again: kept on the disk by category until they are, or the job is let go. */
import type { Grant, RetryOrder } from "@sluice/records";
import type { StepContext } from "@sluice/topology";
import { saveView, type Effects } from "./effects.ts";
import type { OpenEntry, StoredEntry } from "./entry.ts";
import type { JobView } from "./job-view.ts";
import { keys, parseFailed } from "./keys.ts";
import { putToWait } from "./places.ts";
import { put } from "./put.ts";
import { readBlock } from "./settled-block.ts";
import { putEntry, readEntry } from "./roots.ts";
import type { FrontierState } from "./state.ts";

/** URLs that one step takes up again. */
const pieceMax = 500;

/** The URL has failed for good: what it takes to ask for it again is kept. */
export function keepFailed(
  state: FrontierState,
  view: JobView,
  entry: OpenEntry,
  category: string,
  out: Effects,
): void {
  view.tally.failed += 1;
  view.failedAs(category);
  const order = view.retrying?.order ?? view.retried.order;
  putEntry(state, view, keys.failed(view.number, category, view.run, order, entry), entry, out);
}

/** From the owner: failed URLs of some categories are to be taken up again. A total, so it may come twice. */
export function receiveRetry(
  state: FrontierState,
  view: JobView,
  { retry }: Grant,
  out: Effects,
  nowMs: number,
): void {
  if (retry === undefined || retry.order <= (view.retrying ?? view.retried).order) return;
  view.retrying = retry;
  state.retrying.add(view.id);
  retrySome(state, view, out, nowMs);
}

/** Goes on with what was too much for one step; the caller saves the view. */
export function retrySome(state: FrontierState, view: JobView, out: Effects, nowMs: number): void {
  const { retrying } = view;
  if (retrying === null) return;
  let left = pieceMax;
  // What the job's end has overtaken stays failed.
  for (const category of view.halt === null ? categoriesOf(view, retrying) : []) {
    const prefix = keys.failedOf(view.number, category);
    // What failed since the order came is not meant by it.
    const end = keys.failedSince(view.number, category, view.run, retrying.order);
    for (const [key, value] of state.entries.first(prefix, left)) {
      if (key >= end) break;
      takeUp(state, view, key, value as StoredEntry, out, nowMs);
      left -= 1;
    }
    if (left === 0) return;
  }
  // The owner announced each order to each task as a record that is read when all of it is done.
  view.tally.received += retrying.order - view.retried.order;
  view.retried = retrying;
  view.retrying = null;
  state.retrying.delete(view.id);
}

function categoriesOf(view: JobView, { asked }: RetryOrder): readonly string[] {
  return Object.keys(asked)
    .filter((category) => (asked[category] ?? 0) > (view.retried.asked[category] ?? 0))
    .sort();
}

function takeUp(
  state: FrontierState,
  view: JobView,
  key: string,
  value: StoredEntry,
  out: Effects,
  nowMs: number,
): void {
  const parsed = parseFailed(key);
  const entry = readEntry(state, view.number, parsed, value);
  put(state, out, key, null);
  entry.attempt = 1;
  entry.granted = false;
  entry.units = [];
  entry.leaseUntilMs = 0;
  entry.dueAtMs = 0;
  if (parsed.run === view.run) {
    entry.visit += 1;
    view.tally.retried += 1;
    view.failedNoMore(parsed.category);
  } else {
    // Of a run before: in this one it is a URL like any that is found.
    entry.visit = 1;
    entry.releases = 0;
    view.tally.admitted += 1;
    view.inherited -= 1;
  }
  putToWait(state, view, entry, out, nowMs);
}

/** Goes on with one job; true where there was one. */
export function retryMore(state: FrontierState, out: Effects, nowMs: number, context: StepContext): boolean {
  for (const id of state.retrying) {
    const view = state.views.get(id);
    if (view === undefined) throw new Error(`${id} is retried and has no view`);
    retrySome(state, view, out, nowMs);
    saveView(state, view, out, context);
    return true;
  }
  return false;
}

/** Makes known again what the run before had settled, and what is stored of it. */
export function readSettled(state: FrontierState, view: JobView): void {
  const prefix = keys.all("k", view.number);
  for (let after: string | undefined; ;) {
    const blocks = state.entries.first(prefix, pieceMax, after);
    for (const [key, value] of blocks) {
      readBlock(value as string, view.known);
      after = key;
    }
    if (blocks.length < pieceMax) break;
  }
  view.inherited = view.known.size;
}
