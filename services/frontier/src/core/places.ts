/** A known URL is at one place at a time: in a queue, behind its due time, released, or settled. */
import type { Job } from "@sluice/records";
import type { StepContext } from "@sluice/topology";
import { budgetsOf } from "./budget-rules.ts";
import { unsayBudget } from "./units.ts";
import { saveView, type Effects } from "./effects.ts";
import { delayReasons } from "./delay-reason.ts";
import type { OpenEntry, Settled, StoredEntry } from "./entry.ts";
import type { QueueReader } from "./host-queue.ts";
import type { JobView } from "./job-view.ts";
import { formerWaitingKey, keys, parseDelayed, parseHeld, parseQueued } from "./keys.ts";
import type { Known } from "./known-slots.ts";
import { put } from "./put.ts";
import { forgetSettled, isForgotten } from "./forgetting.ts";
import { putSettled } from "./settled-block.ts";
import { putEntry, putWaiting, readEntry } from "./roots.ts";
import { releaseIdOf, type FrontierState } from "./state.ts";

/** Delayed URLs that one step puts into their queues. */
const wakesMax = 500;

/** Puts a URL where it will be released from: its domain's queue, or behind its due time. */
export function putToWait(
  state: FrontierState,
  view: JobView,
  entry: OpenEntry,
  out: Effects,
  nowMs: number,
): void {
  if (entry.dueAtMs > nowMs) {
    entry.delayedBy ??= "politeness";
    view.waits(entry);
    view.known.set(entry.urlId, "delayed", entry.depth, entry.dueAtMs);
    state.delayed.set(view.id, entry.dueAtMs);
    putWaiting(state, view, keys.delayed(view.number, entry), entry, out);
    return;
  }
  entry.dueAtMs = 0;
  entry.delayedBy = null;
  view.waits(entry);
  entry.place = state.places;
  state.places += 1;
  view.known.set(entry.urlId, entry.granted ? "granted" : "fresh", entry.depth, rankedPlace(entry));
  const key = keys.queued(view.number, entry);
  putWaiting(state, view, key, entry, out);
  if (!entry.granted) view.gated.count(entry.domain, 1);
  state.host(entry.domain).push(view.id, keys.queue(view.number, entry.domain), { key, entry });
  view.hosts.add(entry.domain);
  state.ready.add(view.id, entry.domain);
}

/** Places are below this, so that what is known of a URL has room for its priority above them. */
const placesMax = 2 ** 40;

/** What is known of where a URL waits: its place and its priority, as one number below 2^47. */
export function rankedPlace({
  place,
  priority,
}: {
  readonly place: number;
  readonly priority: number;
}): number {
  return priority * placesMax + place;
}

export const priorityOf = ({ place }: Known): number => Math.floor(place / placesMax);

/** Where a URL that waits is stored, or null where it is another URL that is known. */
export function findWaiting(
  state: FrontierState,
  view: JobView,
  url: { readonly url: string; readonly urlId: string; readonly domain: string },
  known: Known,
  job: Job,
): { readonly key: string; readonly entry: OpenEntry } | null {
  if (known.at === "held") return findHeld(state, view, url, known, job);
  const isDelayed = known.at === "delayed";
  for (const delayedBy of isDelayed ? delayReasons : [null]) {
    for (const granted of isDelayed ? [false, true] : [known.at === "granted"]) {
      const { depth } = known;
      const place = known.place % placesMax;
      const priority = priorityOf(known);
      const at = { ...url, depth, granted, priority, place, dueAtMs: known.place, delayedBy } as OpenEntry;
      const key = isDelayed ? keys.delayed(view.number, at) : keys.queued(view.number, at);
      const stored = storedUnder(state, key, url.urlId);
      if (stored === null) continue;
      const entry = readEntry(
        state,
        view.number,
        { ...url, depth, place: isDelayed ? 0 : place, delayedBy },
        stored.value,
      );
      return entry.url === url.url ? { key: stored.key, entry } : null;
    }
  }
  return null;
}

/** What is stored of one that waits, under its key or under the one that a former version gave it. */
function storedUnder(
  state: FrontierState,
  key: string,
  urlId: string,
): { readonly key: string; readonly value: StoredEntry } | null {
  for (const each of [key, formerWaitingKey(key, urlId)]) {
    const value = state.entries.get(each) as StoredEntry | undefined;
    if (value !== undefined) return { key: each, value };
  }
  return null;
}

function findHeld(
  state: FrontierState,
  view: JobView,
  url: { readonly url: string; readonly urlId: string; readonly domain: string },
  known: Known,
  job: Job,
): { readonly key: string; readonly entry: OpenEntry } | null {
  const place = known.place % placesMax;
  const at = { ...url, depth: known.depth, priority: priorityOf(known), place } as OpenEntry;
  for (const { name } of budgetsOf(job, { url: url.url, root: null, stray: true }, state.ceilings)) {
    const key = keys.held(view.number, name, at);
    const stored = storedUnder(state, key, url.urlId);
    if (stored === null) continue;
    const entry = readEntry(
      state,
      view.number,
      { ...url, depth: known.depth, place, delayedBy: "budget" },
      stored.value,
    );
    return entry.url === url.url ? { key: stored.key, entry } : null;
  }
  return null;
}

/** Takes a URL that waits away from where it is, to be put elsewhere. */
export function takeAway(
  state: FrontierState,
  view: JobView,
  found: { readonly key: string; readonly entry: OpenEntry },
  out: Effects,
): void {
  const { key, entry } = found;
  put(state, out, key, null);
  view.waitsNoMore(entry);
  if (entry.delayedBy !== null) return;
  if (!entry.granted) view.gated.count(entry.domain, -1);
  const host = state.host(entry.domain);
  host.remove(view.id, found);
  if (!host.has(view.id)) view.hosts.delete(entry.domain);
}

/** How the queues of jobs are read. */
export function readerOf(state: FrontierState): QueueReader {
  return {
    first: (prefix, limit, after) =>
      state.entries
        .first(prefix, limit, after)
        .map(([key, value]) => ({ key, entry: queuedEntry(state, key, value) })),
    get: (key) => {
      const value = state.entries.get(key);
      if (value === undefined) throw new Error(`${key} waits and is not stored`);
      return queuedEntry(state, key, value);
    },
  };
}

function queuedEntry(state: FrontierState, key: string, value: unknown): OpenEntry {
  const parsed = parseQueued(key);
  return readEntry(state, parsed.view, parsed, value);
}

/** A URL that was taken from its queue is stored there no more. */
export function leaveQueue(state: FrontierState, key: string, out: Effects): void {
  put(state, out, key, null);
}

/** A URL that was taken from its queue is released. */
export function sendOut(
  state: FrontierState,
  view: JobView,
  key: string,
  entry: OpenEntry,
  leaseUntilMs: number,
  out: Effects,
): string {
  leaveQueue(state, key, out);
  entry.releases += 1;
  entry.leaseUntilMs = leaseUntilMs;
  const releaseId = releaseIdOf(view, entry);
  view.inFlight += 1;
  view.known.set(entry.urlId, "out", entry.depth);
  state.out.set(releaseId, { view, entry });
  state.host(entry.domain).window.release(releaseId, leaseUntilMs);
  putEntry(state, view, keys.out(view.number, entry), entry, out);
  return releaseId;
}

/** A URL that was released before the state was loaded. */
export function restoreOut(state: FrontierState, view: JobView, entry: OpenEntry, out: Effects): void {
  const releaseId = releaseIdOf(view, entry);
  view.inFlight += 1;
  view.known.set(entry.urlId, "out", entry.depth);
  state.out.set(releaseId, { view, entry });
  state.host(entry.domain).window.restore(releaseId, entry.leaseUntilMs);
  putEntry(state, view, keys.out(view.number, entry), entry, out);
}

/** A release of which more is known now than when it was sent. */
export function updateOut(
  state: FrontierState,
  view: JobView,
  urlId: string,
  depth: number,
  out: Effects,
): void {
  for (const { view: owner, entry } of state.out.values()) {
    if (owner !== view || entry.urlId !== urlId) continue;
    entry.depth = depth;
    view.known.set(urlId, "out", depth);
    putEntry(state, view, keys.out(view.number, entry), entry, out);
    return;
  }
}

/** A release was answered. */
export function takeBack(state: FrontierState, releaseId: string, out: Effects): void {
  const release = state.out.get(releaseId);
  if (release === undefined) return;
  const { view, entry } = release;
  state.out.delete(releaseId);
  view.inFlight -= 1;
  state.host(entry.domain).window.settle(releaseId);
  state.makeReady(entry.domain);
  put(state, out, keys.out(view.number, entry), null);
}

/** A URL that waits no more and is not out comes to its end. */
export function settle(
  state: FrontierState,
  view: JobView,
  host: string,
  entry: Pick<OpenEntry, "urlId" | "depth">,
  how: Settled,
  out: Effects,
): void {
  view.known.set(entry.urlId, "settled", entry.depth);
  if (isForgotten(state, host)) forgetSettled(state, view, entry.urlId, out);
  else putSettled(state, view.number, host, entry, how, out);
}

/** A settled URL was found by a shorter way. */
export function settleNearer(
  state: FrontierState,
  view: JobView,
  host: string,
  urlId: string,
  depth: number,
  out: Effects,
): void {
  view.known.set(urlId, "settled", depth);
  putSettled(state, view.number, host, { urlId, depth }, "nearer", out);
}

/** URLs whose due time has come go into their domain's queue, some at a time. */
export function wakeDelayed(state: FrontierState, out: Effects, nowMs: number, context: StepContext): void {
  for (let left = wakesMax; left > 0;) {
    const job = state.delayed.due(nowMs);
    if (job === null) return;
    const view = state.views.get(job);
    if (view === undefined || view.halt !== null) continue;
    const prefix = keys.all("d", view.number);
    const found = state.entries.first(prefix, left);
    for (const [key, value] of found) {
      const parsed = parseDelayed(key);
      if (parsed.dueAtMs > nowMs) break;
      left -= 1;
      const entry = readEntry(state, view.number, parsed, value);
      takeAway(state, view, { key, entry }, out);
      putToWait(state, view, entry, out, nowMs);
    }
    awaitNext(state, view);
    saveView(state, view, out, context);
  }
}

/** Notes when the first of a job's delayed URLs is due. */
export function awaitNext(state: FrontierState, view: JobView): void {
  const [next] = state.entries.first(keys.all("d", view.number), 1);
  if (next !== undefined) state.delayed.set(view.id, parseDelayed(next[0]).dueAtMs);
}

/** Takes URLs of the view that wait, at most `limit`, from wherever they are stored. */
export function takeWaiting(
  state: FrontierState,
  view: JobView,
  limit: number,
  out: Effects,
): readonly OpenEntry[] {
  const taken: OpenEntry[] = [];
  const parse = { q: parseQueued, d: parseDelayed, h: parseHeld };
  for (const letter of ["q", "d", "h"] as const) {
    for (const [key, value] of state.entries.first(keys.all(letter, view.number), limit - taken.length)) {
      const entry = readEntry(state, view.number, parse[letter](key), value);
      put(state, out, key, null);
      view.waitsNoMore(entry);
      taken.push(entry);
    }
    if (taken.length >= limit) break;
  }
  return taken;
}

/** Removes what is stored of a former view, at most `limit` entries; true where nothing is left. */
export function removeStored(
  state: FrontierState,
  number: number,
  limit: number,
  out: Effects,
  context: StepContext,
): boolean {
  let left = limit;
  for (const letter of ["q", "d", "h", "f", "l", "x", "b", "k", "r"] as const) {
    if (left === 0) return false;
    for (const [key, value] of state.entries.first(keys.all(letter, number), left)) {
      put(state, out, key, null);
      if (letter === "b") unsayBudget(state, key, value, out, context);
      left -= 1;
    }
  }
  return left > 0;
}
