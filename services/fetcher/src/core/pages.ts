import { categoryOf, retryDelayMs, shouldRetry, type FetchAnswer } from "@sluice/http";
import { notRead, type FailedCategory, type Job, type Permit } from "@sluice/records";
import { admissionOf, recanonicalize, suspicionOf, type CanonicalUrl } from "@sluice/web";
import type { FetchOutcome, Headed, PageContent } from "../calls.ts";
import { failedEvent, sendEvent, sendOutcome, sendResult } from "./answers.ts";
import { tellProcessed } from "./url-events.ts";
import type { QueuedPermit, RunningCall } from "./host.ts";
import { isCancelled, jobOf, knownJob } from "./jobs.ts";
import { sendLinks, type SentLinks } from "./links.ts";
import { redirectTarget } from "./redirects.ts";
import { hold, policyFor } from "./politeness.ts";
import { defer, refuse } from "./refusals.ts";
import { robotsOf } from "./robots.ts";
import { announceSitemaps, settleSitemap } from "./sitemaps.ts";
import type { Turn } from "./turn.ts";

/** A page call has settled: it is tried again, or becomes one result with its links, its event and its outcome. */
export function settlePage(
  turn: Turn,
  queued: QueuedPermit,
  running: RunningCall,
  outcome: Extract<FetchOutcome, { kind: "page" }>,
): void {
  const { host, out, nowMs, context, options } = turn;
  const { permit } = queued;
  const job = jobOf(context, permit.job);
  const { answer } = outcome;
  const blocked = policyFor(context, permit.url).blocked ?? null;
  if (answer.kind === "breaker_open") return defer(turn, queued, answer.retryAtMs, "breaker");
  if (answer.kind === "failed" && answer.category === "cancelled") {
    // Aborted by a cancel, or by a shutdown: then the record stays unfinished and comes again.
    if (isCancelled(knownJob(context, permit), permit))
      refuse(turn, queued, "cancelled", "the job was cancelled");
    else if (blocked !== null) refuse(turn, queued, "blocked", blocked.reason);
    return;
  }
  if (blocked !== null) return refuse(turn, queued, "blocked", blocked.reason);
  if (isCancelled(knownJob(context, permit), permit))
    return refuse(turn, queued, "cancelled", "the job was cancelled while it was fetched");
  const response = answer.kind === "response" ? answer : null;
  const failure = failureOf(answer, outcome.content);
  const category = failure?.category ?? categoryOf(answer as FetchAnswer);
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
    detail: failure === null ? null : `${failure.code}: ${failure.message}`.slice(0, 500),
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
  if (permit.sitemap !== undefined) return settleSitemap(turn, queued, response, outcome, base);
  const sent = followUp(turn, permit, job, response, outcome);
  const ok = category === "ok" || category === "redirect";
  const id = sendResult(
    out,
    host,
    permit,
    {
      outcome: category,
      errorCode: failure?.code ?? null,
      errorMessage: failure?.message ?? null,
      response,
      content: outcome.content,
      contentKept: isKept(outcome.content, job),
      egress: outcome.egress,
      redirectTo: sent.redirectTo,
      linksAdmitted: sent.links,
      ...robotsOf(host, running.origin, permit, nowMs),
      durationMs: answer.durationMs,
      nowMs,
    },
    context,
  );
  const about = { job: permit.job, run: permit.run, atMs: nowMs, url: permit.url };
  sendEvent(
    out,
    ok
      ? {
          ...about,
          type: "url_crawled",
          status: response?.status ?? null,
          depth: permit.depth,
          outcome: category,
          title: outcome.content?.title ?? null,
          durationMs: Math.round(answer.durationMs),
          ...noteOf(outcome.content),
        }
      : failedEvent(permit, category, base.detail ?? statusText(response), nowMs, {
          refused: false,
          final: true,
        }),
  );
  if (sent.links > 0) {
    sendEvent(out, {
      ...about,
      type: "urls_discovered",
      count: outcome.content?.links.length ?? sent.links,
      admitted: sent.links,
    });
  }
  tellProcessed(turn, permit, id);
  const sitemaps = announceSitemaps(turn, permit, job, running.origin);
  sendOutcome(out, host, permit, {
    kind: "settled",
    ok,
    linkRecords: sent.records + sitemaps.records,
    links: sent.links + sitemaps.links,
    ...(sent.strays ? { strays: true } : {}),
    ...base,
  });
  out.push({ kind: "finish", id: queued.recordId });
}

/** Why there is no page; null where one was read, or the status says it all. */
function failureOf(
  answer: Exclude<FetchOutcome["answer"], { kind: "breaker_open" }>,
  content: PageContent | null,
): { readonly category: FailedCategory; readonly code: string; readonly message: string } | null {
  if (answer.kind === "failed") return answer;
  const unread = content?.unreadReason ?? null;
  return unread === null ? null : { category: "parse", code: notRead.code, message: unread };
}

/** Whether texts of a page may be kept: its own word, unless the job says otherwise. */
const isKept = (content: PageContent | null, { fetch: { pageFlags } }: Job): boolean =>
  content === null || pageFlags === "ignore" || !(content.noindex || content.noarchive);

const nothingSent: SentLinks = { records: 0, links: 0, strays: false };

/** What a page leads to, sent on to the frontier: its links, or where it redirects to. */
function followUp(
  turn: Turn,
  permit: Permit,
  job: Job,
  response: Headed | null,
  outcome: Extract<FetchOutcome, { kind: "page" }>,
): SentLinks & { readonly redirectTo: string | null } {
  const { out, host } = turn;
  if (response === null) return { ...nothingSent, redirectTo: null };
  const admission = admissionOf(job);
  const { priority } = permit;
  const base = {
    job: permit.job,
    run: permit.run,
    parent: permit.urlId,
    // What a page leads to is as urgent as the page.
    ...(priority === undefined ? {} : { priority }),
  };
  const page = {
    domain: host.domain,
    politenessKey: turn.options.politenessKey,
    depth: permit.depth,
    // Nothing is nearer than a seed.
    keepsOutlinks: job.limits.maxDepth !== null && permit.depth > 0,
    suspicion: suspicionOf(permit.url),
    url: permit.url,
  };
  if (response.status >= 300 && response.status < 400) {
    if (response.location === null) return { ...nothingSent, redirectTo: null };
    const target = redirectTarget(response.location, permit.url, job.canonical);
    if (target === null) return { ...nothingSent, redirectTo: response.location.slice(0, 2083) };
    // A seed's redirect takes the scope along.
    const root = permit.depth === 0 && permit.root === permit.url ? target.url : permit.root;
    const found = {
      ...base,
      kind: "redirect" as const,
      depth: permit.depth,
      root,
      redirects: permit.redirects + 1,
    };
    const sent = sendLinks(out, found, [target], admission, page);
    return { ...sent, redirectTo: target.url };
  }
  const found = { ...base, kind: "link" as const, depth: permit.depth + 1, root: permit.root, redirects: 0 };
  return { ...sendLinks(out, found, linksOf(outcome.content, job), admission, page), redirectTo: null };
}

/** As the job spells them, each once. */
function linksOf(content: PageContent | null, { canonical }: Job): readonly CanonicalUrl[] {
  const found = content?.links ?? [];
  if (!canonical.dropTracking && !canonical.dropSessionIds) return found;
  const links = new Map<string, CanonicalUrl>();
  for (const link of found) {
    const url = recanonicalize(link, canonical);
    links.set(url.urlId, url);
  }
  return [...links.values()];
}

function noteOf(content: PageContent | null): { note?: string } {
  const note = content?.extractionNote ?? null;
  return note === null ? {} : { note };
}

const statusText = (response: Headed | null): string | null =>
  response === null ? null : `HTTP ${response.status}`;
