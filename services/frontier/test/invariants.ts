import { openOf } from "@sluice/records";
import { forgottenCategory } from "../src/core/blocking.ts";
import { delayReasons } from "../src/core/delay-reason.ts";
import { entryOf, type StoredEntry } from "../src/core/entry.ts";
import { unrecordedCategory, type JobView } from "../src/core/job-view.ts";
import { keys, parseDelayed, parseFailed, parseHeld, parseOut, parseQueued } from "../src/core/keys.ts";
import type { Whereabouts } from "../src/core/known-slots.ts";
import { idsOf } from "../src/core/settled-block.ts";
import type { FrontierState } from "../src/core/state.ts";

/** What is stored of a view; throws where what is known of a URL in memory says something else. */
function storedOf(state: FrontierState, view: JobView) {
  const is = { waiting: 0, needing: 0, inFlight: 0, settled: 0, queuedFresh: 0 };
  const delayedBy = { politeness: 0, back_off: 0, breaker: 0, budget: 0 };
  const queues = new Map<string, number>();
  const outByDomain = new Map<string, number>();
  const read = (letter: "k" | "q" | "d" | "h" | "f") =>
    state.entries.first(keys.all(letter, view.number), Number.MAX_SAFE_INTEGER);
  const known = (urlId: string, at: Whereabouts, depth: number): void => {
    const found = view.known.get(urlId);
    if (found?.at !== at || found.depth !== depth)
      throw new Error(`${view.id}: ${urlId} is ${at} at ${depth}, and known as ${JSON.stringify(found)}`);
  };
  for (const [key, value] of read("q")) {
    const parsed = parseQueued(key);
    const entry = entryOf(parsed, value as StoredEntry, state.rootsOf(view.number));
    is.waiting += 1;
    if (!entry.granted) {
      is.needing += 1;
      is.queuedFresh += 1;
    }
    known(entry.urlId, entry.granted ? "granted" : "fresh", entry.depth);
    equal(`${key}: as granted as its key`, Number(parsed.granted), Number(entry.granted));
    equal(`${key}: as deep as its key`, parsed.depth, entry.depth);
    queues.set(entry.domain, (queues.get(entry.domain) ?? 0) + 1);
  }
  for (const [key, value] of read("d")) {
    const entry = entryOf(parseDelayed(key), value as StoredEntry, state.rootsOf(view.number));
    is.waiting += 1;
    delayedBy[entry.delayedBy ?? "politeness"] += 1;
    if (!entry.granted) is.needing += 1;
    known(entry.urlId, "delayed", entry.depth);
  }
  for (const [key, value] of read("h")) {
    const parsed = parseHeld(key);
    const entry = entryOf(parsed, value as StoredEntry, state.rootsOf(view.number));
    is.waiting += 1;
    is.needing += 1;
    delayedBy.budget += 1;
    if (entry.granted) throw new Error(`${view.id}: ${entry.url} is held with its units`);
    equal(`${key}: as deep as its key`, parsed.depth, entry.depth);
    known(entry.urlId, "held", entry.depth);
  }
  for (const [key, value] of read("f")) {
    const entry = entryOf(parseOut(key), value as StoredEntry, state.rootsOf(view.number));
    is.inFlight += 1;
    known(entry.urlId, "out", entry.depth);
    outByDomain.set(entry.domain, (outByDomain.get(entry.domain) ?? 0) + 1);
  }
  // One that failed and was asked for again is in a block, and open.
  const settled = new Set(read("k").flatMap(([, value]) => idsOf(value as string)));
  for (const urlId of settled) if (view.known.get(urlId)?.at === "settled") is.settled += 1;
  return { is, delayedBy, queues, outByDomain };
}

/** What holds in a frontier task after every step; throws a sentence where it does not. */
export function checkTask(state: FrontierState): void {
  let outstanding = 0;
  const outByDomain = new Map<string, number>();
  for (const view of state.views.values()) {
    const { tally } = view;
    const { is, delayedBy, queues, outByDomain: outHere } = storedOf(state, view);
    for (const [domain, count] of outHere) outByDomain.set(domain, (outByDomain.get(domain) ?? 0) + count);
    outstanding += is.inFlight;
    equal(`${view.id}: open`, openOf(tally), is.waiting + is.inFlight);
    equal(`${view.id}: waiting`, view.waiting, is.waiting);
    for (const reason of delayReasons)
      equal(`${view.id}: delayed by ${reason}`, view.delayedBy[reason], delayedBy[reason]);
    equal(`${view.id}: in queues without a grant`, view.queuedFresh, is.queuedFresh);
    equal(`${view.id}: in flight`, view.inFlight, is.inFlight);
    equal(`${view.id}: grants needed`, view.grantsNeeded, is.needing);
    equal(`${view.id}: known`, view.known.size, is.waiting + is.inFlight + is.settled);
    if (view.known.size > 0)
      equal(
        `${view.id}: settled`,
        tally.done + view.failed + tally.skipped + view.inherited + view.aliases - view.forgotten,
        is.settled,
      );
    checkFailed(state, view);
    if (view.halt === null) {
      equal(`${view.id}: domains`, view.hosts.size, queues.size);
      let gatedFresh = 0;
      for (const domain of view.gated.domains()) gatedFresh += state.hosts.get(domain)?.freshOf(view.id) ?? 0;
      equal(`${view.id}: behind gates`, view.gated.fresh, gatedFresh);
      for (const [domain, count] of queues)
        equal(`${view.id}: on ${domain}`, waitingOn(state, view, domain), count);
    }
    equal(`${view.id}: skipped by reason`, tally.skipped, sumOf(view.skippedBy));
    equal(`${view.id}: refused by reason`, tally.refused, sumOf(view.refusedBy));
    // Where pages are limited only by host, none is granted and those released are counted all the same.
    if (tally.granted > 0 && view.grantsHeld < 0)
      throw new Error(`${view.id}: ${view.grantsHeld} grants held`);
    for (const count of Object.values(tally))
      if (count < 0) throw new Error(`${view.id}: a counter below zero`);
  }
  equal("outstanding in all", state.total.outstanding, outstanding);
  equal("releases in all", state.out.size, outstanding);
  for (const host of state.hosts.values())
    equal(`${host.domain}: outstanding`, host.window.outstanding, outByDomain.get(host.domain) ?? 0);
}

/** Of these only the count is left. */
const uncheckable: ReadonlySet<string> = new Set([forgottenCategory, unrecordedCategory]);

/** What failed is kept by its category, and only that. */
function checkFailed(state: FrontierState, view: JobView): void {
  const kept = new Map<string, number>();
  for (const [key] of state.entries.first(keys.all("x", view.number), Number.MAX_SAFE_INTEGER)) {
    const { category, run } = parseFailed(key);
    if (run === view.run) kept.set(category, (kept.get(category) ?? 0) + 1);
  }
  let sum = 0;
  for (const [category, count] of view.failedBy) {
    sum += count;
    // Of a run that has let go of its URLs only the count is left.
    if (!uncheckable.has(category) && (view.halt !== "ended" || view.isKept))
      equal(`${view.id}: kept as ${category}`, kept.get(category) ?? 0, count);
  }
  equal(`${view.id}: failed by category`, view.failed, sum);
}

function waitingOn(state: FrontierState, view: JobView, domain: string): number {
  let sum = 0;
  state.hosts.get(domain)?.eachSize((job, granted, fresh) => {
    if (job === view.id) sum += granted + fresh;
  });
  return sum;
}

const sumOf = (counts: ReadonlyMap<string, number>): number =>
  [...counts.values()].reduce((sum, count) => sum + count, 0);

function equal(what: string, found: number, expected: number): void {
  if (found !== expected) throw new Error(`${what}: ${found} where ${expected} are`);
}
