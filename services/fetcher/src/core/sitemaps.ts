/**
 * Sitemaps: announced with the seeds' hosts, fetched like pages by the clock of their own host, and followed by what they
 * list. They have no result; an event says what became of each.
 */
import {
  defaultPriority,
  hostOf,
  politenessKeyOf,
  type CrawlEvent,
  type Job,
  type Link,
  type Permit,
} from "@sluice/records";
import {
  admissionOf,
  canonicalize,
  recanonicalize,
  registrableDomain,
  sitemapIndexDepthMax,
  urlIdOf,
  type CanonicalUrl,
  type SitemapLinks,
} from "@sluice/web";
import type { FetchOutcome, Headed } from "../calls.ts";
import { sendEvent, sendOutcome, type OutcomeFields } from "./answers.ts";
import type { QueuedPermit } from "./host.ts";
import { jobOf } from "./jobs.ts";
import { byDomain, sendRecords } from "./links.ts";
import { redirectTarget } from "./redirects.ts";
import type { Turn } from "./turn.ts";

/** Sitemaps of one robots.txt: those that come later in it are left. */
export const namedSitemapsMax = 50;
/** What a sitemap's priority adds to that of its pages at most, or takes from it: 1.0 adds it, 0.0 takes it. */
const hintMax = 10;

/** Records of links that were written, and URLs in them. */
interface Sent {
  readonly records: number;
  readonly links: number;
}

const nothing: Sent = { records: 0, links: 0 };

/** A page that a job starts from has settled, or robots.txt forbids it: its origin's sitemaps are the job's from then on. */
export function announceSitemaps(turn: Turn, permit: Permit, job: Job, origin: string): Sent {
  const { host, options } = turn;
  const { maxDepth } = job.limits;
  const isSeed = permit.depth === 0 && permit.sitemap === undefined;
  if (job.scope.sitemaps !== "follow" || !isSeed || maxDepth === 0) return nothing;
  const entry = host.robots.get(origin);
  const run = `${permit.job}/${permit.run}`;
  if (entry?.kind !== "known" || host.sitemapsTold.get(origin) === run) return nothing;
  if (host.sitemapsTold.size >= options.originsMax) host.sitemapsTold.clear();
  host.sitemapsTold.set(origin, run);
  const named = new Map<string, CanonicalUrl>();
  for (const raw of entry.robots?.sitemaps ?? []) {
    const url = canonicalize(raw, `${origin}/robots.txt`);
    if (url.kind === "url") named.set(url.urlId, url);
    if (named.size >= namedSitemapsMax) break;
  }
  const usual = canonicalize(`${origin}/sitemap.xml`);
  if (named.size === 0 && usual.kind === "url") named.set(usual.urlId, usual);
  return sendSitemaps(turn, permit, permit.urlId, [...named.values()], 1, 0);
}

function sendSitemaps(
  turn: Turn,
  { job, run, root, priority }: Permit,
  parent: string,
  sitemaps: readonly CanonicalUrl[],
  sitemap: number,
  redirects: number,
): Sent {
  const urgency = priority === undefined ? {} : { priority };
  const found = {
    job,
    run,
    kind: "sitemap" as const,
    parent,
    depth: 0,
    root,
    redirects,
    sitemap,
    ...urgency,
  };
  let records = 0;
  for (const [domain, urls] of byDomain(sitemaps, turn.options.politenessKey))
    records += sendRecords(turn.out, found, domain, urls);
  return { records, links: sitemaps.length };
}

/** What was listed and not announced, by reason. */
type Refused = Record<string, number>;

function countRefused(refused: Refused, reason: string, by = 1): void {
  if (by > 0) refused[reason] = (refused[reason] ?? 0) + by;
}

/**
 * A sitemap has come to its end: what it lists goes on, an event says how much, and the release is answered.
 * @param response null where there was none
 */
export function settleSitemap(
  turn: Turn,
  { permit, recordId }: QueuedPermit,
  response: Headed | null,
  outcome: Extract<FetchOutcome, { kind: "page" }> | null,
  base: Pick<OutcomeFields, "category" | "detail"> & Partial<OutcomeFields>,
): void {
  const { host, out, nowMs } = turn;
  const level = permit.sitemap ?? 1;
  const listed = outcome?.sitemap ?? null;
  const refused: Refused = {};
  const redirected = redirect(turn, permit, level, response, refused);
  const pages = listed === null ? nothing : sendPages(turn, permit, listed, refused);
  const sitemaps = listed === null ? nothing : sendListed(turn, permit, level, listed, refused);
  const { category } = base;
  sendEvent(out, {
    type: "sitemap_read",
    job: permit.job,
    run: permit.run,
    atMs: nowMs,
    url: permit.url,
    level,
    status: response?.status ?? null,
    outcome: category,
    format: listed?.kind ?? null,
    urls: listed?.pages.length ?? 0,
    admitted: pages.links,
    sitemaps: listed?.sitemaps.length ?? 0,
    sitemapsAdmitted: sitemaps.links,
    ...refusals(refused),
    note: (listed?.truncated ?? base.detail ?? null)?.slice(0, 500) ?? null,
  } satisfies Extract<CrawlEvent, { type: "sitemap_read" }>);
  sendOutcome(out, host, permit, {
    kind: "settled",
    ok: category === "ok" || category === "redirect",
    linkRecords: redirected.records + pages.records + sitemaps.records,
    links: redirected.links + pages.links + sitemaps.links,
    ...base,
  });
  out.push({ kind: "finish", id: recordId });
}

function refusals(refused: Refused): { readonly refused: number; readonly refusedFor: string | null } {
  const reasons = Object.entries(refused);
  const texts = reasons.map(([reason, count]) => `${reason} ${count}`);
  return {
    refused: reasons.reduce((sum, [, count]) => sum + count, 0),
    refusedFor: texts.length === 0 ? null : texts.join(", "),
  };
}

/** Where a sitemap redirects to is a sitemap of the same level, asked for under its own host's rules. */
function redirect(
  turn: Turn,
  permit: Permit,
  level: number,
  response: Headed | null,
  refused: Refused,
): Sent {
  if (response === null || response.status < 300 || response.status >= 400) return nothing;
  const target = response.location === null ? null : redirectTarget(response.location, permit.url);
  if (target === null) {
    countRefused(refused, "invalid_url");
    return nothing;
  }
  return sendSitemaps(turn, permit, urlIdOf(permit.url), [target], level, permit.redirects + 1);
}

/** Pages are as deep as if the seed linked to them, and have to be in the job's scope as any. */
function sendPages(turn: Turn, permit: Permit, listed: SitemapLinks, refused: Refused): Sent {
  const { out, context } = turn;
  const { job: id, run, root, priority: base = defaultPriority } = permit;
  const job = jobOf(context, id);
  const admission = admissionOf(job);
  const found = { job: id, run, parent: urlIdOf(permit.url), depth: 1, root, redirects: 0 };
  const link = { ...found, kind: "link" as const };
  countRefused(refused, "invalid_url", listed.refusedCount);
  const groups = new Map<string, { domain: string; priority: number; urls: string[] }>();
  const seen = new Set<string>();
  let links = 0;
  for (const page of listed.pages) {
    const url = recanonicalize(page.link, job.canonical);
    if (seen.has(url.urlId)) continue;
    seen.add(url.urlId);
    const answer = admission.decide(url, link);
    if (!answer.admitted) {
      countRefused(refused, answer.reason);
      continue;
    }
    links += 1;
    const priority = hinted(base, page.priority);
    const domain = politenessKeyOf(turn.options.politenessKey, url.domain, registrableDomain);
    const key = `${priority} ${domain}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { domain, priority, urls: [url.url] });
    else group.urls.push(url.url);
  }
  let records = 0;
  for (const { domain, priority, urls } of groups.values()) {
    const said: Omit<Link, "urls"> = priority === defaultPriority ? link : { ...link, priority };
    records += sendRecords(out, said, domain, urls);
  }
  return { records, links };
}

/** The priority among the pages of a site moves them a little among those of the job. */
export function hinted(base: number, hint: number | null): number {
  const by = Math.round(((hint ?? 0.5) - 0.5) * 2 * hintMax);
  return Math.min(100, Math.max(0, base + by));
}

/** An index speaks for its own site: what it lists elsewhere would be requests to hosts that nobody asked for. */
function sendListed(
  turn: Turn,
  permit: Permit,
  level: number,
  { sitemaps }: SitemapLinks,
  refused: Refused,
): Sent {
  if (sitemaps.length === 0) return nothing;
  if (level >= sitemapIndexDepthMax) {
    countRefused(refused, "sitemap_depth", sitemaps.length);
    return nothing;
  }
  const { url, root } = permit;
  const sites = new Set([url, root ?? url].map((each) => registrableDomain(hostOf(each))));
  const own = sitemaps.filter(({ domain }) => sites.has(registrableDomain(domain)));
  countRefused(refused, "sitemap_host", sitemaps.length - own.length);
  return sendSitemaps(turn, permit, urlIdOf(url), own, level + 1, 0);
}
