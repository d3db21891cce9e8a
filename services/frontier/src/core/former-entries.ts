/** State as it was stored before waiting URLs had an order on the disk: one entry a URL, open or settled. */
import { defaultPriority } from "@sluice/records";
import type { LoadedEntries, StepContext } from "@sluice/topology";
import { saveView, type Effects } from "./effects.ts";
import type { OpenEntry, Settled } from "./entry.ts";
import { putToWait, restoreOut, settle } from "./places.ts";
import type { FrontierState } from "./state.ts";

interface FormerOpen extends Omit<
  OpenEntry,
  "place" | "visit" | "delayedBy" | "priority" | "sitemap" | "units"
> {
  readonly kind: "open";
  readonly seq: number;
  readonly releaseId: string | null;
}

type FormerEntry = { readonly run: number } & (
  | FormerOpen
  | { readonly kind: Settled; readonly depth: number }
);

const prefix = "u|";
/** It is not known of which host a settled one was. */
const noHost = "";

/** What is left of it, by key. */
export function formerEntries(entries: LoadedEntries): readonly (readonly [string, unknown])[] {
  return [...entries.all(prefix)];
}

/** Stores it anew, once, in the first step: from then on nothing is left of it. */
export function storeFormer(state: FrontierState, out: Effects, nowMs: number, context: StepContext): void {
  const waiting: (readonly [string, FormerOpen])[] = [];
  for (const [key, value] of state.former) {
    out.push({ kind: "put", key, value: null });
    const entry = value as FormerEntry;
    const [, job = "", urlId = ""] = key.split("|");
    const view = state.views.get(job);
    if (view === undefined || view.run !== entry.run) continue;
    if (entry.kind !== "open") settle(state, view, noHost, { urlId, depth: entry.depth }, entry.kind, out);
    else if (entry.releaseId === null) waiting.push([job, entry]);
    else restoreOut(state, view, openOf(entry), out);
  }
  // In the order of their admission, as they waited.
  waiting.sort(([, a], [, b]) => a.seq - b.seq);
  for (const [job, entry] of waiting) {
    const view = state.views.get(job);
    if (view !== undefined) putToWait(state, view, openOf(entry), out, nowMs);
  }
  if (state.former.length > 0) for (const view of state.views.values()) saveView(state, view, out, context);
  state.former = [];
}

function openOf(entry: FormerOpen): OpenEntry {
  return {
    ...entry,
    priority: defaultPriority,
    place: 0,
    visit: 1,
    delayedBy: null,
    sitemap: 0,
    stray: false,
    units: [],
  };
}
