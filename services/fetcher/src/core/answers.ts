import {
  hostOf,
  resultId,
  topics,
  type CrawlEvent,
  type Outcome,
  type Permit,
  type Result,
} from "@sluice/records";
import type { Effect, StepContext } from "@sluice/topology";
import { registrableDomain } from "@sluice/web";
import type { FetchCall, Headed, PageContent } from "../calls.ts";
import type { Host } from "./host.ts";
import { originOf } from "./url-parts.ts";
import type { RobotsDecision } from "@sluice/web";

export type Effects = Effect<FetchCall>[];

/** What an outcome says beside the release it answers. */
export type OutcomeFields = Pick<Outcome, "kind" | "category"> & Partial<Omit<Outcome, "kind" | "category">>;

export function sendOutcome(out: Effects, host: Host, permit: Permit, fields: OutcomeFields): void {
  const value: Outcome = {
    releaseId: permit.releaseId,
    job: permit.job,
    run: permit.run,
    urlId: permit.urlId,
    attempt: permit.attempt,
    by: "fetcher",
    ...(hostOf(permit.url) === host.domain ? {} : { host: hostOf(permit.url) }),
    ...(permit.sitemap === undefined ? {} : { sitemap: permit.sitemap }),
    ok: false,
    dueAtMs: null,
    linkRecords: 0,
    links: 0,
    endedAtMs: host.lastEndMs,
    latencyMs: null,
    retryAfterMs: null,
    crawlDelayMs: host.crawlDelayMs,
    breakerUntilMs: null,
    detail: null,
    requests: host.robotsRequests,
    breaker: host.breaker,
    ...robotsKnown(host, originOf(permit.url)),
    ...fields,
  };
  host.robotsRequests = 0;
  out.push({ kind: "send", topic: topics.outcomes.name, key: host.domain, value });
}

function robotsKnown(host: Host, origin: string): Pick<Outcome, "robotsStatus" | "robotsReadAtMs"> {
  const entry = host.robots.get(origin);
  if (entry === undefined) return {};
  if (entry.kind === "known")
    return { robotsStatus: entry.status, robotsReadAtMs: Math.round(entry.readAtMs) };
  return { robotsStatus: entry.kind };
}

export function sendEvent(out: Effects, event: CrawlEvent): void {
  out.push({ kind: "send", topic: topics.events.name, key: event.job, value: event });
}

export function failedEvent(
  permit: Permit,
  category: string,
  detail: string | null,
  nowMs: number,
  flags: { refused: boolean; final: boolean },
): Extract<CrawlEvent, { type: "url_failed" }> {
  return {
    type: "url_failed",
    job: permit.job,
    run: permit.run,
    atMs: nowMs,
    url: permit.url,
    depth: permit.depth,
    category,
    detail,
    attempt: permit.attempt,
    ...(permit.sitemap === undefined ? {} : { sitemap: permit.sitemap }),
    ...flags,
  };
}

export interface Settled {
  readonly outcome: string;
  readonly errorCode: string | null;
  readonly errorMessage: string | null;
  readonly response: Headed | null;
  readonly content: PageContent | null;
  /** False: the page asks that its texts be not kept. */
  readonly contentKept: boolean;
  readonly egress: string | null;
  readonly redirectTo: string | null;
  readonly linksAdmitted: number;
  readonly robots: RobotsDecision | null;
  readonly robotsStatus: string | null;
  readonly robotsAgeMs: number | null;
  readonly durationMs: number | null;
  readonly nowMs: number;
}

/** The result record of a settled fetch, to the partition of its domain under its URL id. Returns its id. */
export function sendResult(
  out: Effects,
  host: Host,
  permit: Permit,
  settled: Settled,
  context: StepContext,
): string {
  const { response, content } = settled;
  const fetchedAtMs = Math.round(settled.nowMs);
  const value: Result = {
    schema_version: 1,
    result_id: resultId(permit.job, permit.run, permit.urlId, permit.visit),
    job: permit.job,
    run: permit.run,
    url: permit.url,
    url_id: permit.urlId,
    host: hostOf(permit.url),
    registrable_domain: registrableDomain(hostOf(permit.url)),
    depth: permit.depth,
    parent_url_id: permit.parent,
    attempt: permit.attempt,
    outcome: settled.outcome,
    error_code: settled.errorCode,
    error_message: settled.errorMessage?.slice(0, 500) ?? null,
    status: response?.status ?? null,
    redirect_to: settled.redirectTo,
    content_type: response?.headers["content-type"]?.slice(0, 200) ?? null,
    charset: content?.charset ?? null,
    body_bytes: response?.bodyBytes ?? 0,
    wire_bytes: response?.wireBytes ?? 0,
    truncated: response?.truncated ?? false,
    body_skipped: response?.bodySkipped ?? false,
    body_sha256: content?.bodySha256 ?? null,
    title: content?.title ?? null,
    description: settled.contentKept ? (content?.description ?? null) : null,
    lang: content?.lang?.slice(0, 100) ?? null,
    canonical_url: content?.canonicalUrl?.slice(0, 2083) ?? null,
    extracted_json: settled.contentKept ? (content?.extractedJson ?? null) : null,
    noindex: content?.noindex ?? false,
    nofollow: content?.nofollow ?? false,
    noarchive: content?.noarchive ?? false,
    content_kept: settled.contentKept,
    links_count: content?.links.length ?? 0,
    links_admitted_count: settled.linksAdmitted,
    links_truncated: content?.linksTruncated ?? false,
    etag: response?.headers["etag"]?.slice(0, 300) ?? null,
    last_modified: response?.headers["last-modified"]?.slice(0, 100) ?? null,
    remote_address: response?.remoteAddress ?? null,
    egress: settled.egress,
    robots_rule: settled.robots?.rule ?? null,
    robots_line: settled.robots?.line ?? null,
    robots_status: settled.robotsStatus,
    robots_age_ms: settled.robotsAgeMs,
    delay_ms: permit.delayMs,
    ttfb_ms: response === null ? null : Math.round(response.ttfbMs),
    duration_ms: settled.durationMs === null ? null : Math.round(settled.durationMs),
    // oxlint-disable-next-line no-restricted-globals -- only writes down an instant that it is given
    fetched_at: new Date(fetchedAtMs).toISOString(),
    fetched_at_ms: fetchedAtMs,
  };
  out.push({
    kind: "send",
    topic: topics.results.name,
    key: permit.urlId,
    partition: context.partitionOf(host.domain),
    value,
    headers: {
      ce_specversion: "1.0",
      ce_type: "sluice.page.fetched.v1",
      ce_source: `/sluice/jobs/${permit.job}`,
      ce_id: value.result_id,
      ce_time: value.fetched_at,
      "content-type": "application/json",
    },
  });
  return value.result_id;
}
