/** Builds what a task has in memory from its durable entries. URLs that wait stay where they are stored. */
import type { LoadedEntries, Scratch } from "@sluice/topology";
import type { FrontierOptions } from "../options.ts";
import { formerEntries } from "./former-entries.ts";
import { JobOwner, type StoredJobOwner } from "./job-owner.ts";
import { JobView, type StoredJobView } from "./job-view.ts";
import type { HostQueue } from "./host-queue.ts";
import {
  keys,
  letters,
  numberOfRoot,
  parseDelayed,
  parseHeld,
  parseOut,
  placeInQueue,
  viewOfKey,
} from "./keys.ts";
import { awaitNext, rankedPlace } from "./places.ts";
import { readBlock } from "./settled-block.ts";
import { readEntry } from "./roots.ts";
import { FrontierState, releaseIdOf } from "./state.ts";

/** Rebuilds the state of a task. What waits for a time that has passed is found by the first wake. */
export function loadFrontier(
  options: FrontierOptions,
  entries: LoadedEntries,
  scratch: Scratch,
): FrontierState {
  const state = new FrontierState(options, scratch);
  state.read(entries);
  const views = new Map<number, JobView>();
  for (const [key, value] of entries.all("j|")) {
    // A former version gave its views no numbers.
    const stored = value as Omit<StoredJobView, "number"> & Partial<Pick<StoredJobView, "number">>;
    const id = key.slice(2);
    const number = stored.number ?? 0;
    const view = new JobView(id, stored.run, number, state.knownUrls(), { ...stored, number });
    view.known.load(view.tally.admitted + view.inherited - view.forgotten);
    state.views.set(id, view);
    if (number > 0) views.set(number, view);
    state.nextNumber = Math.max(state.nextNumber, number + 1);
  }
  for (const [key, value] of entries.all("o|"))
    state.owners.set(key.slice(2), JobOwner.from(key.slice(2), value as StoredJobOwner));
  for (const letter of letters) {
    for (const number of numbersUnder(entries, letter)) {
      const view = views.get(number);
      if (view !== undefined) loaders[letter](state, view, entries);
      else state.dropping.add(number);
      state.nextNumber = Math.max(state.nextNumber, number + 1);
    }
  }
  state.former = formerEntries(entries);
  for (const view of state.views.values()) {
    view.known.loaded();
    if (view.number === 0) view.number = state.takeNumber();
  }
  for (const view of views.values()) {
    if (view.halt !== null && view.waiting > 0) state.halting.add(view.id);
    if (view.retrying !== null) state.retrying.add(view.id);
    if (view.delayed > 0) awaitNext(state, view);
  }
  return state;
}

/** Views that have something stored under the letter: one read each, however much it is. */
function numbersUnder(entries: LoadedEntries, letter: string): readonly number[] {
  const numbers: number[] = [];
  for (let after: string | undefined; ;) {
    const [next] = entries.first(letter, 1, after);
    if (next === undefined) return numbers;
    const [key] = next;
    numbers.push(viewOfKey(key));
    // Beyond all keys of this view: they go on with a bar.
    after = `${key.slice(0, key.indexOf("|"))}}`;
  }
}

type LoadUrls = (state: FrontierState, view: JobView, entries: LoadedEntries) => void;

const loaders: Readonly<Record<(typeof letters)[number], LoadUrls>> = {
  r: (state, view, entries) => {
    for (const [key, value] of entries.all(keys.all("r", view.number)))
      state.rootsOf(view.number).set(numberOfRoot(key), value as string);
  },
  k: (_, view, entries) => {
    // Of a run that has ended they are of use to the next one, if at all.
    if (view.isKept) return;
    for (const [, value] of entries.all(keys.all("k", view.number))) readBlock(value as string, view.known);
  },
  q: (state, view, entries) => {
    const prefix = keys.all("q", view.number);
    // The URLs of a domain lie one after another, and there may be a million of them.
    let queue: string | null = null;
    let host: HostQueue | null = null;
    for (const key of entries.keys(prefix)) {
      if (queue === null || !key.startsWith(queue)) {
        const domain = key.slice(prefix.length, key.indexOf("|", prefix.length));
        queue = keys.queue(view.number, domain);
        // Of a job that came to a halt nothing is released.
        host = view.halt === null ? state.host(domain) : null;
        if (host !== null) {
          view.hosts.add(domain);
          state.ready.add(view.id, domain);
        }
      }
      const at = placeInQueue(key, queue);
      view.known.addWaiting(key, at.idAt, at.granted ? "granted" : "fresh", at.depth, rankedPlace(at));
      view.waits(at);
      state.places = Math.max(state.places, at.place + 1);
      host?.restore(view.id, queue, at.granted);
    }
  },
  h: (state, view, entries) => {
    let prefix = "";
    for (const key of entries.keys(keys.all("h", view.number))) {
      const { id, name, depth, place, priority } = parseHeld(key);
      view.known.addWaiting(id, 0, "held", depth, rankedPlace({ place, priority }));
      view.waits({ granted: false, delayedBy: "budget" });
      state.places = Math.max(state.places, place + 1);
      if (key.startsWith(prefix) && prefix !== "") continue;
      prefix = keys.heldBy(view.number, name);
      state.unholding.add(prefix);
    }
  },
  // Read when a URL falls under them.
  b: () => undefined,
  d: (_, view, entries) => {
    for (const key of entries.keys(keys.all("d", view.number))) {
      const { id, granted, depth, dueAtMs, delayedBy } = parseDelayed(key);
      view.known.addWaiting(id, 0, "delayed", depth, dueAtMs);
      view.waits({ granted, delayedBy });
    }
  },
  f: (state, view, entries) => {
    for (const [key, value] of entries.all(keys.all("f", view.number))) {
      const entry = readEntry(state, view.number, parseOut(key), value);
      view.known.set(entry.urlId, "out", entry.depth);
      view.inFlight += 1;
      const releaseId = releaseIdOf(view, entry);
      state.out.set(releaseId, { view, entry });
      state.host(entry.domain).window.restore(releaseId, entry.leaseUntilMs);
    }
  },
  // They stay where they are stored, and are counted with the view.
  x: () => undefined,
  // Read when a page is found by a shorter way, and not before.
  l: () => undefined,
};
