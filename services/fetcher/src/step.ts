import { categoryOf, retryDelayMs, shouldRetry, type FetchAnswer } from "@sluice/http";
import { defaultJob, defaultJobId, topics, type Job, type Permit } from "@sluice/records";
import type { InputRecord, Step, StepContext } from "@sluice/topology";
import { Admission, parseRobots, robotsForStatus, type RobotsDecision } from "@sluice/web";
import type { FetchCall, FetchOutcome, Headed } from "./calls.ts";
import { failedEvent, sendEvent, sendOutcome, sendResult, type Effects } from "./core/answers.ts";
import { Host, type QueuedPermit, type RobotsEntry, type RunningCall } from "./core/host.ts";
import { sendLinks } from "./core/links.ts";
import { redirectTarget, robotsToken } from "./core/page-links.ts";
import { defaultFetcherOptions, type FetcherOptions } from "./options.ts";

export type PermitRecord = InputRecord<Permit>;
export const fetcherInputs = [topics.permits.name];
export const fetcherTables = [topics.jobs.name];

export class FetcherState {
  readonly hosts = new Map<string, Host>();

  host(domain: string): Host {
    let host = this.hosts.get(domain);
    if (host === undefined) {
      host = new Host(domain);
      this.hosts.set(domain, host);
    }
    return host;
  }
}

const builtIn = defaultJob();

function recordOf(context: StepContext, id: string): Job | null {
  const found = context.tables[topics.jobs.name]?.get(id) as Job | undefined;
  return found ?? (id === defaultJobId ? builtIn : null);
}

/** The job of a permit as its record has it now; null where the record, or that of its run, is not here yet. */
function knownJob(context: StepContext, permit: Permit): Job | null {
  const job = recordOf(context, permit.job);
  return job === null || job.run < permit.run ? null : job;
}

/** The job of a permit that was let through by `knownJob`; a record deleted since leaves the defaults. */
const jobOf = (context: StepContext, id: string): Job => recordOf(context, id) ?? builtIn;

const admissions = new WeakMap<Job, Admission>();
function admissionOf(job: Job): Admission {
  let admission = admissions.get(job);
  if (admission === undefined) {
    admission = new Admission(job);
    admissions.set(job, admission);
  }
  return admission;
}

interface Turn {
  readonly host: Host;
  readonly out: Effects;
  readonly nowMs: number;
  readonly context: StepContext;
  readonly options: FetcherOptions;
}

/**
 * The fetcher: robots.txt, then the page, each not before the domain's clock allows it. It keeps the wait a
 * second time, by its own clock, so permits that piled up while nobody owned the domain are never a burst.
 */
export function fetcherStep(
  options: FetcherOptions = defaultFetcherOptions,
): Step<FetcherState, PermitRecord, FetchCall, FetchOutcome> {
  return {
    name: "fetcher",
    load: () => new FetcherState(),
    laneOf: (record) => record.key ?? "",
    // The step keeps the order itself: it has to see all permits of a domain to answer them when it is held.
    laneWidth: () => options.permitsMax,
    step: (state, input, nowMs, context) => {
      const out: Effects = [];
      const turnOf = (host: Host): Turn => ({ host, out, nowMs, context, options });
      switch (input.kind) {
        case "record": {
          const { record } = input;
          const host = state.host(record.key ?? "");
          host.queue.push({ recordId: record.id, permit: record.value, receivedAtMs: nowMs });
          pump(turnOf(host));
          break;
        }
        case "wake": {
          const host = state.hosts.get(input.lane);
          if (host !== undefined) pump(turnOf(host));
          break;
        }
        case "started": {
          const host = state.host(input.lane);
          host.unbegun.delete(input.callId);
          host.lastStartMs = nowMs;
          pump(turnOf(host));
          break;
        }
        case "settled": {
          const host = state.host(input.lane);
          settle(turnOf(host), input.callId, input.outcome);
          pump(turnOf(host));
          break;
        }
        case "table":
          if (input.table === topics.jobs.name)
            for (const host of state.hosts.values()) jobChanged(turnOf(host), input.key);
          break;
        case "restored":
          break;
        default:
          input satisfies never;
      }
      forgetIdle(state, nowMs, options);
      return out;
    },
  };
}

/** Begins or answers what can be begun or answered now, in order; asks to be woken for what comes later. */
function pump(turn: Turn): void {
  const { host, out, nowMs, options } = turn;
  for (;;) {
    const head = host.queue[0];
    if (head === undefined) return;
    const { permit } = head;
    if (answerUnasked(turn, head)) {
      host.queue.shift();
      continue;
    }
    // Its scope and limits are not known yet; the table will say so when they are.
    if (knownJob(turn.context, permit) === null) {
      out.push({ kind: "wake", lane: host.domain, atMs: permit.leaseUntilMs + 1 });
      return;
    }
    if (host.running.size >= permit.concurrency) return;
    const origin = originOf(permit.url);
    const entry = host.robots.get(origin);
    const known = entry?.kind === "known" && entry.expiresAtMs > nowMs ? entry : null;
    if (known !== null) {
      const decision = known.robots?.decide(robotsToken, pathOf(permit.url)) ?? null;
      if (decision?.allowed === false) {
        host.queue.shift();
        refuse(
          turn,
          head,
          "robots",
          `${decision.rule ?? "disallow"} (line ${decision.line ?? "?"} of robots.txt)`,
        );
        continue;
      }
    } else if (entry?.kind === "unreachable" && entry.untilMs > nowMs) {
      host.queue.shift();
      robotsFailed(turn, head, entry);
      continue;
    } else if (isAskingRobots(host, origin)) {
      return;
    }
    const startAtMs = earliest(turn, head);
    // Asked for and not begun: `started` looks again.
    if (startAtMs === Infinity) return;
    if (startAtMs > nowMs) {
      out.push({ kind: "wake", lane: host.domain, atMs: startAtMs });
      return;
    }
    const job = jobOf(turn.context, permit.job);
    if (known === null) {
      const url = entry?.kind === "redirected" ? entry.url : `${origin}/robots.txt`;
      begin(
        turn,
        { kind: "robots", domain: host.domain, url, totalTimeoutMs: options.robotsTimeoutMs },
        { kind: "robots", origin, job: permit.job, queued: null, askedAtMs: nowMs },
      );
      return;
    }
    host.queue.shift();
    begin(
      turn,
      {
        kind: "page",
        domain: host.domain,
        url: permit.url,
        totalTimeoutMs: job.fetch.totalTimeoutMs,
        bodyBytesMax: job.fetch.bodyBytesMax,
      },
      { kind: "page", origin, job: permit.job, queued: head, askedAtMs: nowMs },
    );
  }
}

/** Answers a permit that will not be fetched whatever the clock says; false where it may be. */
function answerUnasked(turn: Turn, head: QueuedPermit): boolean {
  const { host, nowMs, options } = turn;
  const job = knownJob(turn.context, head.permit);
  if (isCancelled(job, head.permit)) {
    refuse(turn, head, "cancelled", "the job was cancelled");
    return true;
  }
  if (job?.desired === "paused") {
    defer(turn, head, nowMs, "paused");
    return true;
  }
  if (head.permit.leaseUntilMs < nowMs) {
    sendOutcome(turn.out, host, head.permit, {
      kind: "expired",
      category: "expired",
      detail: "the lease is over",
    });
    turn.out.push({ kind: "finish", id: head.recordId });
    return true;
  }
  if (host.holdUntilMs - nowMs > options.waitMaxMs) {
    defer(turn, head, host.holdUntilMs, host.holdReason);
    return true;
  }
  return false;
}

/** The earliest instant at which the domain may be asked, by everything this fetcher knows. */
function earliest(turn: Turn, head: QueuedPermit): number {
  const { host, context } = turn;
  const { permit } = head;
  const job = jobOf(context, permit.job);
  const delayMs = Math.max(permit.delayMs, Math.min(host.crawlDelayMs ?? 0, job.politeness.delayMaxMs));
  host.delayMaxMs = Math.max(host.delayMaxMs, delayMs);
  // The clock of rate-limit may differ from ours: no more than its lead is believed of it.
  const permittedAtMs = Math.min(permit.notBeforeMs, head.receivedAtMs + 1000);
  if (delayMs === 0) return Math.max(host.holdUntilMs, permittedAtMs);
  if (permit.concurrency > 1) {
    // Spaced by starts: one that has been asked for and not begun has no start yet.
    if (host.unbegun.size > 0) return Infinity;
    const lastMs = host.lastStartMs ?? context.assignedAtMs;
    return Math.max(host.holdUntilMs, permittedAtMs, lastMs + delayMs);
  }
  // Spaced from the end of one to the start of the next, so that no delay on the way can bring them closer.
  const lastMs = host.lastEndMs ?? context.assignedAtMs;
  return Math.max(host.holdUntilMs, permittedAtMs, lastMs + delayMs);
}

function begin(turn: Turn, request: FetchCall, running: RunningCall): void {
  const { host, out, context } = turn;
  host.calls += 1;
  const callId = `${host.domain}#${context.epoch}.${host.calls}`;
  host.running.set(callId, running);
  host.unbegun.add(callId);
  out.push({ kind: "call", lane: host.domain, callId, request });
}

function settle(turn: Turn, callId: string, outcome: FetchOutcome): void {
  const { host, nowMs } = turn;
  const running = host.running.get(callId);
  if (running === undefined) throw new Error(`call ${callId} settled and is not known`);
  host.running.delete(callId);
  host.unbegun.delete(callId);
  const asked =
    outcome.answer.kind !== "breaker_open" &&
    !(
      outcome.answer.kind === "failed" &&
      !outcome.answer.requestSent &&
      outcome.answer.category === "address_refused"
    );
  if (asked) host.lastEndMs = nowMs;
  if (outcome.answer.kind === "breaker_open") hold(host, outcome.answer.retryAtMs, "breaker");
  else if (outcome.breaker.retryAtMs !== null) hold(host, outcome.breaker.retryAtMs, "breaker");
  if (outcome.kind === "robots") {
    if (asked) host.robotsRequests += 1;
    // Aborted by a shutdown: it says nothing, and whoever owns the domain next asks again.
    if (outcome.answer.kind === "failed" && outcome.answer.category === "cancelled") return;
    host.robots.set(running.origin, robotsEntry(turn, running, outcome));
    return;
  }
  if (running.queued === null) throw new Error(`page call ${callId} has no permit`);
  settlePage(turn, running.queued, running, outcome);
}

function hold(host: Host, untilMs: number, reason: string): void {
  if (untilMs <= host.holdUntilMs) return;
  host.holdUntilMs = untilMs;
  host.holdReason = reason;
}

/** What an answer to robots.txt means (RFC 9309 §2.3.1). */
function robotsEntry(
  turn: Turn,
  running: RunningCall,
  outcome: Extract<FetchOutcome, { kind: "robots" }>,
): RobotsEntry {
  const { host, nowMs, options, context } = turn;
  const { answer } = outcome;
  const before = host.robots.get(running.origin);
  const failuresBefore =
    before?.kind === "unreachable" || before?.kind === "redirected" ? before.failures : 0;
  const failures = failuresBefore + 1;
  const unreachable = (
    category: string,
    code: string | null,
    message: string,
    waitMs: number,
  ): RobotsEntry => ({
    kind: "unreachable",
    category,
    code,
    message,
    untilMs: nowMs + waitMs,
    failures,
  });
  if (answer.kind === "breaker_open")
    return unreachable(
      "breaker_open",
      null,
      "the breaker of the domain is open",
      Math.max(0, answer.retryAtMs - nowMs),
    );
  const waitMs = Math.min(options.robotsRetryMaxMs, options.robotsRetryMs * 2 ** (failures - 1));
  if (answer.kind === "failed") return unreachable(answer.category, answer.code, answer.message, waitMs);
  const hops = before?.kind === "redirected" ? before.hops : 0;
  if (answer.status >= 300 && answer.status < 400 && answer.location !== null && hops < 5) {
    const target = redirectTarget(
      answer.location,
      before?.kind === "redirected" ? before.url : `${running.origin}/robots.txt`,
    );
    if (target !== null)
      return { kind: "redirected", url: target.url, hops: hops + 1, failures: failuresBefore };
  }
  const rule = robotsForStatus(answer.status);
  if (rule === "disallow_all") {
    const retryAfterMs = Math.min(answer.retryAfterMs ?? 0, options.retryAfterMaxMs);
    if (retryAfterMs > 0) hold(host, nowMs + retryAfterMs, "retry_after");
    const category = answer.status === 429 ? "http_429" : "http_5xx";
    return unreachable(
      category,
      `HTTP ${answer.status}`,
      `robots.txt answered ${answer.status}`,
      Math.max(waitMs, retryAfterMs),
    );
  }
  const robots = rule === "parse" ? parseRobots(answer.body) : null;
  const crawlDelayMs = robots?.crawlDelayMs(robotsToken) ?? null;
  host.crawlDelayMs =
    crawlDelayMs === null ? null : Math.min(crawlDelayMs, jobOf(context, running.job).politeness.delayMaxMs);
  return {
    kind: "known",
    robots,
    status: rule === "parse" ? "parsed" : "allow_all",
    expiresAtMs: nowMs + options.robotsTtlMs,
  };
}

/** robots.txt can't be had: nothing of the origin may be fetched, so the URL is tried again later, or given up. */
function robotsFailed(
  turn: Turn,
  head: QueuedPermit,
  entry: Extract<RobotsEntry, { kind: "unreachable" }>,
): void {
  const { host, out, nowMs, context } = turn;
  const { permit } = head;
  if (entry.category === "breaker_open") return defer(turn, head, entry.untilMs, "breaker");
  const job = jobOf(context, permit.job);
  const detail = `robots.txt: ${entry.message}`;
  if (permit.attempt < job.fetch.attemptsMax && entry.category !== "address_refused") {
    sendEvent(out, failedEvent(permit, entry.category, detail, nowMs, { refused: false, final: false }));
    sendOutcome(out, host, permit, {
      kind: "retry",
      category: entry.category,
      dueAtMs: Math.ceil(entry.untilMs),
      detail,
    });
    out.push({ kind: "finish", id: head.recordId });
    return;
  }
  // The host answers and says nothing about its rules: that is a refusal. No answer at all is a failed fetch.
  if (entry.category === "http_5xx" || entry.category === "http_429")
    return refuse(turn, head, "robots_unreachable", detail);
  sendEvent(out, failedEvent(permit, entry.category, detail, nowMs, { refused: false, final: true }));
  sendResult(
    out,
    host,
    permit,
    {
      outcome: entry.category,
      errorCode: entry.code,
      errorMessage: detail,
      response: null,
      content: null,
      redirectTo: null,
      linksAdmitted: 0,
      robots: null,
      robotsStatus: "unreachable",
      durationMs: null,
      nowMs,
    },
    context,
  );
  sendOutcome(out, host, permit, { kind: "settled", category: entry.category, detail });
  out.push({ kind: "finish", id: head.recordId });
}

function settlePage(
  turn: Turn,
  queued: QueuedPermit,
  running: RunningCall,
  outcome: Extract<FetchOutcome, { kind: "page" }>,
): void {
  const { host, out, nowMs, context, options } = turn;
  const { permit } = queued;
  const job = jobOf(context, permit.job);
  const { answer } = outcome;
  if (answer.kind === "breaker_open") return defer(turn, queued, answer.retryAtMs, "breaker");
  if (answer.kind === "failed" && answer.category === "cancelled") {
    // Aborted by a cancel, or by a shutdown: then the record stays unfinished and comes again.
    if (isCancelled(knownJob(context, permit), permit))
      refuse(turn, queued, "cancelled", "the job was cancelled");
    return;
  }
  if (isCancelled(knownJob(context, permit), permit))
    return refuse(turn, queued, "cancelled", "the job was cancelled while it was fetched");
  const response = answer.kind === "response" ? answer : null;
  const category = categoryOf(answer as FetchAnswer);
  const retryAfterMs =
    outcome.retryAfterMs === null ? null : Math.min(outcome.retryAfterMs, options.retryAfterMaxMs);
  if (retryAfterMs !== null) hold(host, nowMs + retryAfterMs, "retry_after");
  const base = {
    category,
    requests: host.robotsRequests + 1,
    endedAtMs: nowMs,
    latencyMs: response?.ttfbMs ?? null,
    retryAfterMs,
    breakerUntilMs: outcome.breaker.retryAtMs,
    detail: answer.kind === "failed" ? `${answer.code}: ${answer.message}`.slice(0, 500) : null,
  };
  if (shouldRetry(answer as FetchAnswer, permit.attempt, job.fetch.attemptsMax)) {
    // Before the end of a hold it would only be deferred.
    const dueAtMs = Math.max(nowMs + retryDelayMs(category, permit.attempt, permit.urlId), host.holdUntilMs);
    sendEvent(
      out,
      failedEvent(permit, category, base.detail ?? statusText(response), nowMs, {
        refused: false,
        final: false,
      }),
    );
    sendOutcome(out, host, permit, { kind: "retry", dueAtMs: Math.ceil(dueAtMs), ...base });
    out.push({ kind: "finish", id: queued.recordId });
    return;
  }
  const sent = followUp(turn, permit, job, response, outcome);
  const ok = category === "ok" || category === "redirect";
  sendResult(
    out,
    host,
    permit,
    {
      outcome: category,
      errorCode: answer.kind === "failed" ? answer.code : null,
      errorMessage: answer.kind === "failed" ? answer.message : null,
      response,
      content: outcome.content,
      redirectTo: sent.redirectTo,
      linksAdmitted: sent.links,
      ...robotsOf(host, running.origin, permit),
      durationMs: answer.durationMs,
      nowMs,
    },
    context,
  );
  sendEvent(
    out,
    ok
      ? {
          type: "url_crawled",
          job: permit.job,
          run: permit.run,
          atMs: nowMs,
          url: permit.url,
          status: response?.status ?? null,
          depth: permit.depth,
          outcome: category,
          title: outcome.content?.title ?? null,
          durationMs: Math.round(answer.durationMs),
        }
      : failedEvent(permit, category, base.detail ?? statusText(response), nowMs, {
          refused: false,
          final: true,
        }),
  );
  if (sent.links > 0) {
    sendEvent(out, {
      type: "urls_discovered",
      job: permit.job,
      run: permit.run,
      atMs: nowMs,
      url: permit.url,
      count: outcome.content?.links.length ?? sent.links,
      admitted: sent.links,
    });
  }
  sendOutcome(out, host, permit, {
    kind: "settled",
    ok,
    linkRecords: sent.records,
    links: sent.links,
    ...base,
  });
  out.push({ kind: "finish", id: queued.recordId });
}

/** What a page leads to, sent on to the frontier: its links, or where it redirects to. */
function followUp(
  turn: Turn,
  permit: Permit,
  job: Job,
  response: Headed | null,
  outcome: Extract<FetchOutcome, { kind: "page" }>,
): { records: number; links: number; redirectTo: string | null } {
  const { out } = turn;
  if (response === null) return { records: 0, links: 0, redirectTo: null };
  const admission = admissionOf(job);
  const base = { job: permit.job, run: permit.run, parent: permit.urlId };
  if (response.status >= 300 && response.status < 400) {
    if (response.location === null) return { records: 0, links: 0, redirectTo: null };
    const target = redirectTarget(response.location, permit.url);
    if (target === null) return { records: 0, links: 0, redirectTo: response.location.slice(0, 2083) };
    // A seed's redirect takes the scope along.
    const root = permit.depth === 0 && permit.root === permit.url ? target.url : permit.root;
    const found = {
      ...base,
      kind: "redirect" as const,
      depth: permit.depth,
      root,
      redirects: permit.redirects + 1,
    };
    const sent = sendLinks(out, found, [target], admission);
    return { ...sent, redirectTo: target.url };
  }
  const found = { ...base, kind: "link" as const, depth: permit.depth + 1, root: permit.root, redirects: 0 };
  return { ...sendLinks(out, found, outcome.content?.links ?? [], admission), redirectTo: null };
}

function robotsOf(
  host: Host,
  origin: string,
  permit: Permit,
): { robots: RobotsDecision | null; robotsStatus: string | null } {
  const entry = host.robots.get(origin);
  if (entry?.kind !== "known") return { robots: null, robotsStatus: null };
  return {
    robots: entry.robots?.decide(robotsToken, pathOf(permit.url)) ?? null,
    robotsStatus: entry.status,
  };
}

function refuse(turn: Turn, head: QueuedPermit, category: string, detail: string): void {
  const { host, out, nowMs } = turn;
  sendEvent(out, failedEvent(head.permit, category, detail, nowMs, { refused: true, final: true }));
  sendOutcome(out, host, head.permit, { kind: "refused", category, detail });
  out.push({ kind: "finish", id: head.recordId });
}

function defer(turn: Turn, head: QueuedPermit, dueAtMs: number, reason: string): void {
  sendOutcome(turn.out, turn.host, head.permit, {
    kind: "deferred",
    category: reason,
    dueAtMs: Math.ceil(dueAtMs),
    breakerUntilMs: reason === "breaker" ? Math.ceil(dueAtMs) : null,
    detail: reason,
  });
  turn.out.push({ kind: "finish", id: head.recordId });
}

/** A job changed: what runs for a cancelled one is aborted, what waits is answered. */
function jobChanged(turn: Turn, id: string): void {
  for (const [callId, running] of turn.host.running) {
    const permit = running.job === id ? running.queued?.permit : undefined;
    if (permit !== undefined && isCancelled(knownJob(turn.context, permit), permit)) {
      turn.out.push({ kind: "abort", callId });
    }
  }
  const kept = turn.host.queue.filter((head) => head.permit.job !== id || !answerUnasked(turn, head));
  turn.host.queue.splice(0, turn.host.queue.length, ...kept);
  pump(turn);
}

function isCancelled(job: Job | null, permit: Permit): boolean {
  return job !== null && (job.desired === "cancelled" || job.run > permit.run);
}

function isAskingRobots(host: Host, origin: string): boolean {
  for (const running of host.running.values())
    if (running.kind === "robots" && running.origin === origin) return true;
  return false;
}

const statusText = (response: Headed | null): string | null =>
  response === null ? null : `HTTP ${response.status}`;

/** Canonical URLs: the origin is what stands before the first slash of the path. */
function originOf(url: string): string {
  return url.slice(0, url.indexOf("/", url.indexOf("://") + 3));
}

function pathOf(url: string): string {
  return url.slice(url.indexOf("/", url.indexOf("://") + 3));
}

/** Hosts looked at in one step when there are too many: more would make each step as slow as the table is long. */
const forgetLooks = 16;

/**
 * Hosts that have been quiet for longer than any wait are forgotten when there are too many. One that is
 * forgotten starts again like one just taken over; one that is not quiet goes to the end of the order.
 */
function forgetIdle(state: FetcherState, nowMs: number, options: FetcherOptions): void {
  for (let looks = 0; looks < forgetLooks && state.hosts.size > options.hostsMax; looks += 1) {
    const host = state.hosts.values().next().value;
    if (host === undefined) return;
    state.hosts.delete(host.domain);
    if (!isForgettable(host, nowMs, options)) state.hosts.set(host.domain, host);
  }
}

function isForgettable(host: Host, nowMs: number, options: FetcherOptions): boolean {
  if (host.queue.length > 0 || host.running.size > 0 || host.holdUntilMs > nowMs) return false;
  return nowMs - (host.lastEndMs ?? 0) >= Math.max(options.forgetAfterMs, host.delayMaxMs);
}
