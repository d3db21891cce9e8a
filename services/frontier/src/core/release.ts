import { hostOf, policyOf, topics, type Due, type HostPolicy, type Job } from "@sluice/records";
import type { StepContext } from "@sluice/topology";
import { saidPriority, saveView, type Effects } from "./effects.ts";
import { giveUpBlocked } from "./blocking.ts";
import { budgetsOf, hasBudgets } from "./budget-rules.ts";
import { askForUnits, budgetsOfAll, lackOf, openMoreGates, returnSpare, takeUnits } from "./budget-units.ts";
import { giveBack, grantsUsable } from "./halting.ts";
import { giveUpForBudget, hold, leaveUnits } from "./held-urls.ts";
import type { HostQueue, Queued, Releasable } from "./host-queue.ts";
import { weightOf } from "./fair-turns.ts";
import { jobOf } from "./jobs.ts";
import type { JobView } from "./job-view.ts";
import { leaveQueue, readerOf, sendOut } from "./places.ts";
import type { FrontierState } from "./state.ts";
import { isHeld, isRunning, lacksPages } from "./waiting.ts";

/** URLs that one domain releases before the next has its turn. */
const turn = 8;
/** URLs of blocked hosts that are given up in one step: a host may have millions, and a step has to be short. */
const refusalsMax = 200;

/**
 * Releases as much as is asked for and not one more: each domain up to its window, all together up to the
 * total. Jobs take turns by their priorities, and within a job its domains, so that a domain with a million URLs
 * never starves one with ten, nor a job with a million domains one with ten. True where it should go on in a step of
 * its own.
 */
export function release(state: FrontierState, out: Effects, nowMs: number, context: StepContext): boolean {
  if (isHeld(context)) return false;
  const changed = new Set<JobView>();
  const refusals = { left: refusalsMax };
  while (state.total.demand() > 0 && refusals.left > 0) {
    const domain = nextDomain(state, context, changed);
    if (domain === null) {
      if (openMoreGates(state, out, context)) continue;
      break;
    }
    const host = state.hosts.get(domain);
    if (host === undefined) continue;
    const more = releaseFrom(state, host, out, nowMs, context, changed, refusals);
    host.endTurn();
    if (more) state.makeReady(domain);
    else state.quiet.add(domain);
  }
  for (const domain of state.quiet) if (state.hosts.get(domain)?.idle === true) state.hosts.delete(domain);
  state.quiet.clear();
  for (const view of changed) {
    giveBack(view);
    saveView(state, view, out, context);
  }
  return refusals.left <= 0;
}

/** The next domain of the job whose turn it is. */
function nextDomain(state: FrontierState, context: StepContext, changed: Set<JobView>): string | null {
  let first: { readonly job: string; readonly hasGrants: boolean } | null = null;
  let firstBegin = Infinity;
  for (const job of state.ready.jobs) {
    const view = state.views.get(job);
    const begin = view === undefined ? 0 : state.turns.beginOf(view.served);
    if (begin >= firstBegin) continue;
    const lacksGrants = view !== undefined && waitsForPages(jobOf(context, job), view);
    if (lacksGrants) askForPages(state, view, changed);
    if (!state.ready.has(job, !lacksGrants)) continue;
    first = { job, hasGrants: !lacksGrants };
    firstBegin = begin;
  }
  return first === null ? null : state.ready.take(first.job, first.hasGrants);
}

/** The run may release but for page grants. */
function waitsForPages(job: Job | undefined, view: JobView): boolean {
  return job !== undefined && view.halt === null && isRunning(job, view) && lacksPages(job, view);
}

/** Asks the owner for as many grants as could be used at once. */
function askForPages(state: FrontierState, view: JobView, changed: Set<JobView>): void {
  const wanted = view.tally.granted + Math.min(grantsUsable(view), state.options.grantsAtOnce);
  if (wanted <= view.tally.wanted) return;
  view.tally.wanted = wanted;
  changed.add(view);
}

/** One turn of one domain; true where it could go on. */
function releaseFrom(
  state: FrontierState,
  host: HostQueue,
  out: Effects,
  nowMs: number,
  context: StepContext,
  changed: Set<JobView>,
  refusals: { left: number },
): boolean {
  resize(state, host, context);
  const read = readerOf(state);
  const weight = (job: string): number => weightOf(jobOf(context, job)?.priority ?? 0);
  for (let released = 0; released < turn;) {
    // Where it is the total that is used up, the domain keeps its turns.
    if (host.window.demand() === 0) return state.total.demand() === 0;
    const next = host.next(
      (job) => releasableOf(state, job, host.domain, out, nowMs, context, changed),
      weight,
      read,
    );
    if (next === null) return false;
    const { entry, key } = next;
    const view = state.views.get(next.job);
    if (view === undefined) throw new Error(`${next.job} has URLs waiting and no view`);
    if (!host.has(next.job)) view.hosts.delete(host.domain);
    view.waitsNoMore(entry);
    if (!entry.granted) view.gated.count(host.domain, -1);
    const { blocked } = policyFor(context, hostOf(entry.url));
    if (blocked !== undefined && blocked !== null) {
      leaveQueue(state, key, out);
      giveUpBlocked(state, view, entry, blocked.reason, out, nowMs, context);
      changed.add(view);
      released += 1;
      refusals.left -= 1;
      continue;
    }
    const job = jobOf(context, view.id);
    if (job !== undefined && !entry.granted && !takeGrants(state, view, job, next, out, nowMs, context)) {
      changed.add(view);
      released += 1;
      refusals.left -= 1;
      continue;
    }
    state.turns.serve(view.served, weight(view.id));
    const leaseUntilMs = Math.min(nowMs + state.options.leaseMs, deadlineOf(job, view));
    const releaseId = sendOut(state, view, key, entry, leaseUntilMs, out);
    changed.add(view);
    out.push({
      kind: "send",
      topic: topics.due.name,
      key: entry.domain,
      value: {
        releaseId,
        job: view.id,
        run: view.run,
        url: entry.url,
        urlId: entry.urlId,
        depth: entry.depth,
        root: entry.root,
        parent: entry.parent,
        redirects: entry.redirects,
        ...saidPriority(entry.priority),
        ...(entry.sitemap === 0 ? {} : { sitemap: entry.sitemap }),
        attempt: entry.attempt,
        ...(entry.visit === 1 ? {} : { visit: entry.visit }),
        releasedAtMs: nowMs,
        leaseUntilMs,
      } satisfies Due,
    });
    released += 1;
  }
  return host.waiting > 0;
}

/** What a first release takes. False where the URL lacks something: then it is set aside, or given up. */
function takeGrants(
  state: FrontierState,
  view: JobView,
  job: Job,
  { entry, key }: Queued,
  out: Effects,
  nowMs: number,
  context: StepContext,
): boolean {
  const budgets = budgetsOf(job, entry, state.ceilings);
  if (budgets.length === 0) {
    if (job.limits.maxPages === null) return true;
    view.tally.taken += 1;
    entry.granted = true;
    return true;
  }
  const host = hostOf(entry.url);
  const lack = lackOf(state, view, budgets, host);
  if (lack === null) {
    entry.units = takeUnits(state, view, budgets, host, out, context);
    view.tally.taken += 1;
    entry.granted = true;
    return true;
  }
  leaveQueue(state, key, out);
  if (lack.isSpent) giveUpForBudget(state, view, entry, lack.budget, out, nowMs);
  else {
    hold(state, view, entry, lack.budget, out);
    askForUnits(state, view, lack.budget, entry.domain, out, context);
  }
  leaveUnits(state, view, job, budgets, out, context);
  return false;
}

const policyFor = (context: StepContext, host: string): HostPolicy =>
  policyOf(host, context.tables[topics.policies.name]);

/** A job may release while it runs and, where its pages are limited, as far as it has grants in hand. */
function releasableOf(
  state: FrontierState,
  jobId: string,
  domain: string,
  out: Effects,
  nowMs: number,
  context: StepContext,
  changed: Set<JobView>,
): Releasable {
  const view = state.views.get(jobId);
  const job = jobOf(context, jobId);
  if (view === undefined || job === undefined || view.halt !== null) return "none";
  if (!isRunning(job, view) || nowMs >= deadlineOf(job, view)) return "none";
  if (hasBudgets(job, state.ceilings) || view.gated.has(domain)) {
    const budgets = budgetsOfAll(state, job, domain);
    const lack = lackOf(state, view, budgets, domain);
    // What waits in vain is given up as it is taken.
    if (lack?.isSpent === true) return "any";
    if (lack !== null) {
      if (view.gated.get(domain) !== lack.budget.name) {
        changed.add(view);
        // While it waits for that one it can use none of the others.
        for (const budget of budgets) returnSpare(state, view, job, budget, out, context);
      }
      view.gated.close(domain, lack.budget.name, state.hosts.get(domain)?.freshOf(jobId) ?? 0);
      askForUnits(state, view, lack.budget, domain, out, context);
      return "granted";
    }
    view.gated.open(domain);
  }
  if (!lacksPages(job, view)) return "any";
  askForPages(state, view, changed);
  state.ready.keep(jobId, domain);
  return "granted";
}

/**
 * When nothing of the job may be asked for any more. Its beginning is known to its owner: until that has told, it may not
 * begin.
 */
function deadlineOf(job: Job | undefined, view: JobView): number {
  return (job?.limits.maxDurationMs ?? null) === null ? Infinity : (view.deadlineAtMs ?? -Infinity);
}

/** The most patient of the jobs that wait here has its way: what is too early for the others comes back as deferred. */
function resize(state: FrontierState, host: HostQueue, context: StepContext): void {
  let windowHigh = 0;
  const policy = policyFor(context, host.domain);
  for (const id of host.jobs()) {
    const job = jobOf(context, id);
    if (job !== undefined)
      windowHigh = Math.max(windowHigh, windowFor(state, job, policy, host.crawlDelayMs));
  }
  if (windowHigh > 0) host.resize(windowHigh);
}

/** The window of a domain follows its pace, so that about `windowSpanMs` of work lies downstream. */
export function windowFor(
  state: FrontierState,
  { politeness }: Job,
  policy: HostPolicy,
  crawlDelayMs: number | null,
): number {
  const delayMs = policy.delayMs ?? politeness.delayMs;
  const paceMs = Math.max(delayMs, Math.min(crawlDelayMs ?? 0, politeness.delayMaxMs));
  if (paceMs <= 0) return state.options.windowMax;
  const connections = policy.concurrency ?? politeness.concurrencyPerHost;
  const fitting = Math.ceil((state.options.windowSpanMs * connections) / paceMs);
  return Math.min(state.options.windowMax, Math.max(2, fitting));
}
