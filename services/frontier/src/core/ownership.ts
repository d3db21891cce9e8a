import {
  failedOf,
  openOf,
  type Counters,
  type CrawlEvent,
  type FinishReason,
  type Job,
} from "@sluice/records";
import type { StepContext } from "@sluice/topology";
import { canonicalize, type CanonicalUrl } from "@sluice/web";
import { saveOwner, saveView, sendEvent, sendGrant, sendStatus, type Effects } from "./effects.ts";
import { sendSeeds } from "./intake.ts";
import { jobOf } from "./jobs.ts";
import { JobOwner } from "./job-owner.ts";
import type { FrontierState } from "./state.ts";
import { runOf, viewOf } from "./views.ts";

const tickMs = 1000;
const lane = (id: string): string => `job:${id}`;

/** Asks for the next full second of the run: a tick that came late puts off none after it. */
function askForTick(owner: JobOwner, out: Effects, nowMs: number): void {
  const seconds = Math.floor((nowMs - owner.startedAtMs) / tickMs) + 1;
  out.push({ kind: "wake", lane: lane(owner.id), atMs: owner.startedAtMs + seconds * tickMs });
}

/**
 * Brings the owner's knowledge in line with the job's record: a run that has not begun begins, with its
 * seeds. Comparing instead of reacting makes it harmless to be called at any time, and after any crash.
 */
export function reconcile(
  state: FrontierState,
  job: Job,
  out: Effects,
  nowMs: number,
  context: StepContext,
): void {
  if (context.partitionOf(job.id) !== context.task) return;
  const known = state.owners.get(job.id);
  if (known !== undefined && known.run >= job.run) {
    if (known.run > job.run || known.ended) return;
    sendStatus(out, known.status(stateOf(known, job), nowMs));
    askForTick(known, out, nowMs);
    if (!known.seeded) begin(state, known, job, out, nowMs, context);
    orderRetries(state, known, job, out, context);
    return;
  }
  const owner = new JobOwner(job.id, job.run, nowMs);
  owner.continues = runOf(job).continues;
  state.owners.set(job.id, owner);
  begin(state, owner, job, out, nowMs, context);
  orderRetries(state, owner, job, out, context);
}

/** Tells every task which failed URLs to take up again: as what is announced, so that the job can't end before. */
function orderRetries(
  state: FrontierState,
  owner: JobOwner,
  job: Job,
  out: Effects,
  context: StepContext,
): void {
  if (!owner.order(job.retry?.asked ?? {})) return;
  const view = viewOf(state, runOf(job), out);
  view.tally.announced += context.tasks;
  saveView(state, view, out, context);
  saveOwner(out, owner);
  tellAll(owner, out, context);
}

/** Sends the seeds of the job's record, once. */
function begin(
  state: FrontierState,
  owner: JobOwner,
  job: Job,
  out: Effects,
  nowMs: number,
  context: StepContext,
): void {
  owner.seeded = true;
  const view = viewOf(state, runOf(job), out);
  const seeds = new Map<string, CanonicalUrl>();
  // A run that goes on with what failed has no other beginning.
  for (const raw of owner.continues === null ? job.seeds : []) {
    const url = canonicalize(raw, undefined, job.canonical);
    if (url.kind === "url") seeds.set(url.urlId, url);
    else sendEvent(out, refusedSeed(owner, raw, `${url.reason}: ${url.detail}`, nowMs));
  }
  if (seeds.size === 0 && job.seeds.length > 0 && owner.continues === null)
    owner.error = "none of the job's seeds is a URL that can be crawled";
  sendSeeds(state, view, [...seeds.values()], out);
  saveView(state, view, out, context);
  tellDeadline(owner, job, out, context);
  saveOwner(out, owner);
  sendStatus(out, owner.status("running", nowMs));
  askForTick(owner, out, nowMs);
}

/** Every task has to know until when it may release. */
function tellDeadline(owner: JobOwner, job: Job, out: Effects, context: StepContext): void {
  if (!owner.setDeadline(job)) return;
  tellAll(owner, out, context);
}

/** The same word to every task; what it says of grants is each task's own. */
function tellAll(owner: JobOwner, out: Effects, context: StepContext): void {
  for (let task = 0; task < context.tasks; task += 1) sendGrant(out, owner, task);
}

/** Counters of a task have come: grants, limits and the end of the job follow from the sums. */
export function foldCounters(
  state: FrontierState,
  counters: Counters,
  out: Effects,
  nowMs: number,
  context: StepContext,
): void {
  if (counters.kind !== "task") return;
  const owner = ownerOf(state, counters.job, out, nowMs, context);
  if (owner === undefined || owner.run !== counters.run || owner.ended) return;
  owner.report(counters);
  saveOwner(out, owner);
  advance(owner, out, nowMs, context);
}

/** The job `default` has no record that would make its owner begin; its first counters do. */
function ownerOf(
  state: FrontierState,
  id: string,
  out: Effects,
  nowMs: number,
  context: StepContext,
): JobOwner | undefined {
  const known = state.owners.get(id);
  const job = jobOf(context, id);
  if (known !== undefined || job?.open !== true) return known;
  const owner = new JobOwner(id, job.run, nowMs);
  state.owners.set(id, owner);
  tellDeadline(owner, job, out, context);
  askForTick(owner, out, nowMs);
  return owner;
}

function advance(owner: JobOwner, out: Effects, nowMs: number, context: StepContext): void {
  const job = jobOf(context, owner.id);
  if (job === undefined || job.run !== owner.run) return;
  if (job.limits.maxPages !== null) {
    const { done, failed } = owner.sum();
    if (done + failed >= job.limits.maxPages && owner.halt === null) {
      owner.halt = "max_pages";
      tellAll(owner, out, context);
    } else if (owner.halt === null) {
      const granted = owner.allot(job.limits.maxPages);
      if (owner.recallChanged) tellAll(owner, out, context);
      else for (const task of granted) sendGrant(out, owner, task);
    }
  }
  if (!job.open) {
    const found = owner.detect(context.tasks);
    if (found === "probe") tellAll(owner, out, context);
    if (found === "ended") end(owner, job, out, nowMs, context);
  }
  saveOwner(out, owner);
  sendStatus(out, owner.status(stateOf(owner, job), nowMs));
}

/** Every second while the job runs: its deadline, progress for those who watch, and a look at the sums. */
export function tick(
  state: FrontierState,
  id: string,
  out: Effects,
  nowMs: number,
  context: StepContext,
): void {
  const owner = state.owners.get(id);
  const job = jobOf(context, id);
  if (owner === undefined || owner.ended || job === undefined || job.run !== owner.run) return;
  tellDeadline(owner, job, out, context);
  if (owner.deadlineAtMs !== null && owner.halt === null && nowMs >= owner.deadlineAtMs) {
    owner.halt = "timeout";
    tellAll(owner, out, context);
  }
  progress(owner, out, nowMs);
  advance(owner, out, nowMs, context);
  if (!owner.ended) askForTick(owner, out, nowMs);
}

function end(owner: JobOwner, job: Job, out: Effects, nowMs: number, context: StepContext): void {
  owner.endedAtMs = nowMs;
  owner.finishReason = reasonOf(owner, job);
  progress(owner, out, nowMs);
  const sum = owner.sum();
  const base = {
    job: owner.id,
    run: owner.run,
    atMs: nowMs,
    admitted: sum.admitted,
    done: sum.done,
    failed: failedOf(sum),
    skipped: sum.skipped,
    durationMs: nowMs - owner.startedAtMs,
  };
  sendEvent(out, terminalEvent(owner, base));
  tellAll(owner, out, context);
}

function reasonOf(owner: JobOwner, job: Job): FinishReason {
  if (job.desired === "cancelled") return "cancelled";
  if (owner.error !== null) return "failed";
  if (owner.halt === "timeout") return "timeout";
  return owner.halt === "max_pages" && owner.sum().limited > 0 ? "max_pages" : "completed";
}

function terminalEvent(
  owner: JobOwner,
  base: Omit<Extract<CrawlEvent, { type: "job_timeout" }>, "type">,
): CrawlEvent {
  switch (owner.finishReason) {
    case "failed":
      return { ...base, type: "job_failed", error: owner.error ?? "failed" };
    case "timeout":
      return { ...base, type: "job_timeout" };
    case "max_pages":
    case "cancelled":
      return { ...base, type: "job_completed", finishReason: owner.finishReason };
    default:
      return { ...base, type: "job_completed", finishReason: "completed" };
  }
}

function progress(owner: JobOwner, out: Effects, nowMs: number): void {
  const sum = owner.sum();
  const inFlight = owner.inFlight();
  const base = { job: owner.id, run: owner.run, atMs: nowMs };
  const figures = {
    totalProcessed: sum.done + failedOf(sum),
    totalDiscovered: sum.admitted,
    queueSize: Math.max(0, openOf(sum) - inFlight),
    pendingCount: inFlight,
  };
  const elapsed = Math.max(0, Math.floor((nowMs - owner.startedAtMs) / 1000));
  sendEvent(out, {
    ...base,
    type: "progress",
    ...figures,
    done: sum.done,
    failed: failedOf(sum),
    skipped: sum.skipped,
  });
  sendEvent(out, {
    ...base,
    type: "time_update",
    elapsed,
    formatted: minutesAndSeconds(elapsed),
    ...figures,
  });
}

/** `0:05`, `1:00`, `61:09`. */
export function minutesAndSeconds(seconds: number): string {
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

export function stateOf(owner: JobOwner, job: Job): "running" | "paused" | "ending" | "ended" {
  if (owner.ended) return "ended";
  if (owner.closing || owner.halt !== null || job.desired === "cancelled") return "ending";
  return job.desired === "paused" ? "paused" : "running";
}

function refusedSeed(owner: JobOwner, url: string, detail: string, nowMs: number): CrawlEvent {
  return {
    type: "url_failed",
    job: owner.id,
    run: owner.run,
    atMs: nowMs,
    url,
    depth: 0,
    category: "invalid_url",
    detail,
    refused: true,
    attempt: 1,
    final: true,
  };
}
