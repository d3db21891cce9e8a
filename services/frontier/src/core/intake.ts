import { hostOf, topics, type BudgetCounters, type Job, type Link, type Seed } from "@sluice/records";
import type { InputRecord, StepContext } from "@sluice/topology";
import {
  admissionOf,
  canonicalize,
  registrableDomain,
  suspicionOf,
  withoutSessionId,
  type CanonicalUrl,
} from "@sluice/web";
import { defaultJobId, defaultPriority, isOfDomain, politenessKeyOf } from "@sluice/records";
import { budgetsOf, type Budget } from "./budget-rules.ts";
import { lackOf } from "./budget-units.ts";
import { saidPriority, saveView, type Effects } from "./effects.ts";
import { newEntry } from "./entry.ts";
import { isForgotten } from "./forgetting.ts";
import { hold, wakeHeld } from "./held-urls.ts";
import { jobOf } from "./jobs.ts";
import type { JobView } from "./job-view.ts";
import type { Known } from "./known-slots.ts";
import { announceOutlinks, keepAlias, keepOutlinks } from "./outlinks.ts";
import { findWaiting, priorityOf, putToWait, settle, settleNearer, takeAway, updateOut } from "./places.ts";
import { admitSitemaps } from "./sitemaps.ts";
import type { FrontierState } from "./state.ts";
import { foldBudget } from "./shared-budgets.ts";
import { judge, type Found } from "./trap-runs.ts";
import { runOf, viewOf } from "./views.ts";

/** A seed from outside: checked, made canonical, and sent on to the task of its domain. */
export function receiveSeed(
  state: FrontierState,
  record: InputRecord<Seed>,
  out: Effects,
  nowMs: number,
  context: StepContext,
): void {
  const { url: raw, job: id = defaultJobId } = record.value;
  const job = jobOf(context, id);
  if (job === undefined) return wait(state, id, record, out, nowMs, `job: no job ${id}`);
  const url = canonicalize(raw, undefined, job.canonical);
  if (url.kind === "refused") {
    out.push({ kind: "reject", id: record.id, reason: `url: ${url.reason}: ${url.detail}` });
    return;
  }
  const view = viewOf(state, runOf(job), out);
  if (view.halt !== null) {
    out.push({ kind: "reject", id: record.id, reason: `job: ${id} takes no more seeds (${view.halt})` });
    return;
  }
  sendSeeds(state, view, [url], out, record.value.priority);
  saveView(state, view, out, context);
  out.push({ kind: "finish", id: record.id });
}

/** Seeds go through `crawl.links` like every other link, so they count like one. */
export function sendSeeds(
  state: FrontierState,
  view: JobView,
  urls: readonly CanonicalUrl[],
  out: Effects,
  priority = defaultPriority,
): void {
  for (const url of urls) {
    const link: Link = {
      job: view.id,
      run: view.run,
      kind: "seed",
      parent: null,
      depth: 0,
      root: url.url,
      redirects: 0,
      ...saidPriority(priority),
      urls: [url.url],
    };
    const key = politenessKeyOf(state.options.politenessKey, url.domain, registrableDomain);
    out.push({ kind: "send", topic: topics.links.name, key, value: link });
    view.tally.announced += 1;
  }
}

export function receiveLinks(
  state: FrontierState,
  record: InputRecord<Link>,
  out: Effects,
  nowMs: number,
  context: StepContext,
): void {
  const link = record.value;
  const job = jobOf(context, link.job);
  if (job === undefined || job.run < link.run) {
    return wait(state, link.job, record, out, nowMs, `job: no run ${link.run} of ${link.job}`);
  }
  out.push({ kind: "finish", id: record.id });
  // Links of a run that is over: nobody counts them any more.
  if (job.run > link.run) return;
  const view = viewOf(state, runOf(job), out);
  // The owner may be ahead of the table.
  if (view.run > link.run) return;
  view.tally.received += 1;
  if (link.kind === "outlinks") keepOutlinks(state, view, job, link, record.key ?? "", out);
  else if (link.kind === "sitemap") admitSitemaps(state, view, job, record, out, nowMs);
  else admitAll(state, view, job, record, out, nowMs);
  saveView(state, view, out, context);
}

function admitAll(
  state: FrontierState,
  view: JobView,
  job: Job,
  record: InputRecord<Link>,
  out: Effects,
  nowMs: number,
): void {
  const news: News = { found: new Map(), held: new Map() };
  for (const raw of record.value.urls) admit(state, view, job, record, raw, news, out, nowMs);
  const { found, held } = news;
  for (const [host, each] of found)
    for (const budget of judge(state, view, job, record.value, host, each, out))
      held.set(budget.name, budget);
  if (view.halt === null) for (const budget of held.values()) wakeHeld(state, view, budget, out, nowMs);
}

/** What of a record of links is new. */
interface News {
  /** By host. */
  readonly found: Map<string, Found>;
  /** By name: of looks of which URLs were set aside until the page is judged. */
  readonly held: Map<string, Budget>;
}

/** @param news told of each URL that is new */
function admit(
  state: FrontierState,
  view: JobView,
  job: Job,
  record: InputRecord<Link>,
  raw: string,
  { found, held }: News,
  out: Effects,
  nowMs: number,
): void {
  const link = record.value;
  const { politenessKey, redirectsMax } = state.options;
  const domain = record.key ?? "";
  const url = canonicalize(raw, undefined, job.canonical);
  // A URL of another domain would be released on a task that never hears of its outcome.
  if (url.kind === "refused") {
    view.refusedAs(url.reason);
    return;
  }
  const isForeign = !isOfDomain(politenessKey, domain, url.domain);
  if (isForeign || link.redirects > redirectsMax) {
    view.refusedAs(isForeign ? "foreign_domain" : "redirects");
    return;
  }
  if (isForgotten(state, url.domain)) return view.refusedAs("blocked");
  const { priority = defaultPriority } = link;
  const ofHost = found.get(url.domain) ?? { like: 0, other: 0 };
  found.set(url.domain, ofHost);
  const known = view.known.get(url.urlId);
  if (known !== null) return foundAgain(state, view, job, { ...url, domain }, known, link, out, nowMs);
  const answer = admissionOf(job).decide(url, link);
  if (!answer.admitted) return view.refusedAs(answer.reason);
  if (view.halt !== null) {
    view.tally.limited += 1;
    return view.refusedAs(view.halt);
  }
  const stray = link.kin === "stray";
  const look = suspicionOf(url.url);
  if (look !== null) ofHost.like += 1;
  const budgets = budgetsOf(job, { url: url.url, root: link.root, stray }, state.ceilings, look);
  const lack = budgets.length === 0 ? null : lackOf(state, view, budgets, hostOf(url.url));
  if (lack?.isSpent === true) return view.refusedAs(lack.budget.reason);
  if (isKnownWithoutSession(state, view, job, { ...url, domain }, link, out, nowMs))
    return view.refusedAs("trap_session");
  if (look === null) ofHost.other += 1;
  const { depth, root, parent, redirects } = link;
  const at = { url: url.url, urlId: url.urlId, domain, depth, root, parent, redirects, priority };
  const entry = newEntry({ ...at, granted: false, sitemap: 0, stray });
  view.tally.admitted += 1;
  // What a page that grows leads to goes before its neighbours, wherever it would stand in the queue: judged, it is woken.
  const trap =
    link.suspicion === undefined ? undefined : budgets.find((each) => each.trap?.counts === "leading");
  if (trap === undefined) return putToWait(state, view, entry, out, nowMs);
  entry.place = state.places;
  state.places += 1;
  hold(state, view, entry, trap, out);
  held.set(trap.name, trap);
}

/**
 * A page is asked for once, under the first session id that it is found with, or without any. A redirect is followed:
 * it may be what gives the id.
 */
function isKnownWithoutSession(
  state: FrontierState,
  view: JobView,
  job: Job,
  url: CanonicalUrl,
  link: Link,
  out: Effects,
  nowMs: number,
): boolean {
  if (job.scope.traps === "follow") return false;
  const plain = withoutSessionId(url, job.canonical);
  if (plain === null) return false;
  const known = view.known.get(plain.urlId);
  if (known !== null && link.kind !== "link") return false;
  if (known !== null) {
    foundAgain(state, view, job, { ...plain, domain: url.domain }, known, link, out, nowMs);
    return true;
  }
  view.aliases += 1;
  settle(state, view, plain.domain, { urlId: plain.urlId, depth: link.depth }, "skipped", out);
  if (job.limits.maxDepth !== null) keepAlias(state, view, plain.urlId, url, link, out);
  return false;
}

/** A link to a URL that is known: by a shorter way, or a more urgent one, it is of use. */
function foundAgain(
  state: FrontierState,
  view: JobView,
  job: Job,
  url: CanonicalUrl,
  known: Known,
  { kind, depth, kin, priority = defaultPriority }: Link,
  out: Effects,
  nowMs: number,
): void {
  const isMoreUrgent = (known.at === "fresh" || known.at === "held") && priority > priorityOf(known);
  const isVouchedFor = known.at === "held" && kin !== "stray";
  const again = { depth, priority, isVouchedFor, isSeed: kind === "seed" };
  if ((depth < known.depth || isMoreUrgent || isVouchedFor) && view.halt === null)
    bringForward(state, view, job, url, known, again, out, nowMs);
}

interface FoundAgain {
  readonly depth: number;
  readonly priority: number;
  /** Not only by hosts that lead to nothing but others. */
  readonly isVouchedFor: boolean;
  readonly isSeed: boolean;
}

/** Found by a shorter way, or a more urgent one: what it leads to may now be within the limit. */
function bringForward(
  state: FrontierState,
  view: JobView,
  job: Job,
  url: CanonicalUrl,
  known: Known,
  { depth, priority, isVouchedFor, isSeed }: FoundAgain,
  out: Effects,
  nowMs: number,
): void {
  if (known.at === "settled") {
    // Without a limit nothing was refused for its depth.
    if (job.limits.maxDepth === null) return;
    settleNearer(state, view, hostOf(url.url), url.urlId, depth, out);
    return announceOutlinks(state, view, job, url, depth, out);
  }
  if (known.at === "out") {
    updateOut(state, view, url.urlId, depth, out);
    // What it leads to may be kept before its outcome is read.
    if (job.limits.maxDepth !== null) announceOutlinks(state, view, job, url, depth, out);
    return;
  }
  const found = findWaiting(state, view, url, known, job);
  if (found === null) return;
  const { entry } = found;
  const isTrustedNow = known.at === "held" && isSeed && entry.root !== url.url;
  if (depth >= entry.depth && priority <= entry.priority && !entry.stray && !isTrustedNow) return;
  takeAway(state, view, found, out);
  if (isVouchedFor) entry.stray = false;
  if (isTrustedNow) entry.root = url.url;
  entry.depth = Math.min(entry.depth, depth);
  entry.priority = Math.max(entry.priority, priority);
  putToWait(state, view, entry, out, nowMs);
}

/** What a task tells of a budget of a job that this one does not know: either not yet, or the job was removed since. */
export function receiveBudget(
  state: FrontierState,
  record: InputRecord<BudgetCounters>,
  out: Effects,
  nowMs: number,
  context: StepContext,
): void {
  const { job, run } = record.value;
  const known = jobOf(context, job);
  if (known === undefined && !state.views.has(job)) return wait(state, job, record, out, nowMs, null);
  // Of a run before the present one nothing is kept.
  if (known === undefined || known.run <= run) foldBudget(state, record.value, out, context);
  out.push({ kind: "finish", id: record.id });
}

/**
 * The record names a job or run that the table does not show yet: hold it, for a while.
 * @param reason why it is refused then; null: it is of no use any more
 */
function wait(
  state: FrontierState,
  job: string,
  record: InputRecord<Link | Seed | BudgetCounters>,
  out: Effects,
  nowMs: number,
  reason: string | null,
): void {
  const waited = state.pending.get(job) ?? [];
  const known = waited.find((each) => each.record.id === record.id);
  if (known !== undefined && known.untilMs <= nowMs) {
    state.pending.set(
      job,
      waited.filter((each) => each !== known),
    );
    out.push(reason === null ? { kind: "finish", id: record.id } : { kind: "reject", id: record.id, reason });
    return;
  }
  if (known !== undefined) return;
  const { lateJobMs, unknownJobMs } = state.options;
  const isLate = record.topic !== topics.seeds.name && !state.removed.has(job);
  state.pending.set(job, [...waited, { record, untilMs: nowMs + (isLate ? lateJobMs : unknownJobMs) }]);
}

/** Looks again at records that wait for a job: of one job that has just appeared, or of all when time is up. */
export function retryPending(
  state: FrontierState,
  job: string | null,
  out: Effects,
  nowMs: number,
  context: StepContext,
): void {
  for (const id of job === null ? [...state.pending.keys()] : [job]) {
    for (const { record, untilMs } of state.pending.get(id) ?? []) {
      const found = jobOf(context, id);
      const ready = found !== undefined && !("run" in record.value && record.value.run > found.run);
      if (!ready && untilMs > nowMs) continue;
      if (ready) forget(state, id, record);
      if (record.topic === topics.seeds.name)
        receiveSeed(state, record as InputRecord<Seed>, out, nowMs, context);
      else if (record.topic === topics.counters.name)
        receiveBudget(state, record as InputRecord<BudgetCounters>, out, nowMs, context);
      else receiveLinks(state, record as InputRecord<Link>, out, nowMs, context);
    }
    if (state.pending.get(id)?.length === 0) state.pending.delete(id);
  }
}

function forget(state: FrontierState, job: string, record: InputRecord): void {
  state.pending.set(
    job,
    (state.pending.get(job) ?? []).filter((each) => each.record !== record),
  );
}
