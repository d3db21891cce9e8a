/**
 * Sitemaps are fetched like pages, by the same clock, each once a run, and are none: they need no page grant, have no
 * result, and end as skipped. They go before the pages of their host, since pages come of them.
 */
import { defaultPriority, isOfDomain, type Job, type Link } from "@sluice/records";
import type { InputRecord } from "@sluice/topology";
import { canonicalize, sitemapIndexDepthMax } from "@sluice/web";
import { sendRefused, type Effects } from "./effects.ts";
import { newEntry, sitemapIdOf } from "./entry.ts";
import { isForgotten } from "./forgetting.ts";
import type { JobView } from "./job-view.ts";
import type { Known } from "./known-slots.ts";
import { findWaiting, putToWait, takeAway } from "./places.ts";
import type { FrontierState } from "./state.ts";

/**
 * Takes in the sitemaps of a record of links. What decides is not the scope, which is about pages, but the level, and how
 * many the task has taken in for the run.
 */
export function admitSitemaps(
  state: FrontierState,
  view: JobView,
  job: Job,
  { key, value: link }: InputRecord<Link>,
  out: Effects,
  nowMs: number,
): void {
  const { sitemap: level = 1, priority = defaultPriority } = link;
  const domain = key ?? "";
  const refusal = refusalOf(state, job, link, level);
  const tooMany: string[] = [];
  for (const raw of link.urls) {
    const url = canonicalize(raw);
    const isRead = url.kind === "url" && isOfDomain(state.options.politenessKey, domain, url.domain);
    if (refusal !== null || !isRead) {
      view.refusedAs(refusal ?? (url.kind === "refused" ? url.reason : "foreign_domain"));
      continue;
    }
    if (isForgotten(state, url.domain)) {
      view.refusedAs("blocked");
      continue;
    }
    const urlId = sitemapIdOf(url.url);
    const known = view.known.get(urlId);
    if (known !== null) bringUp(state, view, job, { url: url.url, urlId, domain }, known, level, out, nowMs);
    else if (view.halt !== null) {
      view.tally.limited += 1;
      view.refusedAs(view.halt);
    } else if (view.tally.sitemaps >= state.options.sitemapsMax) {
      tooMany.push(url.url);
      view.refusedAs("sitemaps_max");
    } else {
      view.tally.admitted += 1;
      view.tally.sitemaps += 1;
      const { root, parent, redirects } = link;
      const at = { url: url.url, urlId, domain, depth: 0, root, parent, redirects, priority };
      const entry = newEntry({ ...at, granted: true, sitemap: level, stray: false });
      putToWait(state, view, entry, out, nowMs);
    }
  }
  tellTooMany(state, view, link, tooMany, out, nowMs);
}

/** Found at a nearer level while it waits: more of what it lists can be read. One that was asked for keeps its level. */
function bringUp(
  state: FrontierState,
  view: JobView,
  job: Job,
  at: { readonly url: string; readonly urlId: string; readonly domain: string },
  known: Known,
  level: number,
  out: Effects,
  nowMs: number,
): void {
  const isWaiting = known.at === "granted" || known.at === "delayed";
  const found = isWaiting && view.halt === null ? findWaiting(state, view, at, known, job) : null;
  if (found === null || found.entry.sitemap <= level) return;
  takeAway(state, view, found, out);
  found.entry.sitemap = level;
  putToWait(state, view, found.entry, out, nowMs);
}

/** Why none of the record is taken in; null where that depends on each. */
function refusalOf({ options }: FrontierState, job: Job, { redirects }: Link, level: number): string | null {
  if (job.scope.sitemaps !== "follow") return "sitemaps_ignored";
  if (level > sitemapIndexDepthMax) return "sitemap_depth";
  return redirects > options.redirectsMax ? "redirects" : null;
}

/** One event for a record, not one for each of what may be tens of thousands. */
function tellTooMany(
  { options }: FrontierState,
  view: JobView,
  { sitemap = 1 }: Link,
  [url, ...others]: readonly string[],
  out: Effects,
  atMs: number,
): void {
  if (url === undefined) return;
  const more = others.length === 0 ? "" : `; so are ${others.length} more of those listed with it`;
  const detail = `beyond ${options.sitemapsMax} sitemaps of the run in one partition${more}`;
  sendRefused(view, { url, depth: 0, attempt: 1, sitemap }, "sitemaps_max", detail, out, atMs);
}
