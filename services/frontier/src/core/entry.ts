import { defaultPriority } from "@sluice/records";
import { urlIdOf } from "@sluice/web";
import type { DelayReason } from "./delay-reason.ts";
import { idOf, idText } from "./keys.ts";
import { depthMax } from "./known-slots.ts";
import type { Roots } from "./roots.ts";

/** A URL of one run of a job that has not come to its end. */
export interface OpenEntry {
  readonly url: string;
  readonly urlId: string;
  readonly domain: string;
  depth: number;
  root: string | null;
  readonly parent: string | null;
  readonly redirects: number;
  /** 0 to 100: the higher goes first. */
  priority: number;
  /** Place among those that wait in the task: it goes to the end of its queue each time it begins to wait. */
  place: number;
  attempt: number;
  /** Releases so far; makes release ids unique. */
  releases: number;
  /** From 1: each time it is asked for again after it failed is a visit of its own, with a result of its own. */
  visit: number;
  /** A page grant is spent on it, or it needs none. */
  granted: boolean;
  /** Of a sitemap its level, from 1; 0 of a page. */
  sitemap: number;
  /** Names of the budgets of which it has a unit, but for those of the job itself, of which all have that are granted. */
  units: readonly string[];
  /** Found on a page that leads to nothing but other hosts of its domain. */
  stray: boolean;
  leaseUntilMs: number;
  /** Not before this instant; 0 where it may go at once. */
  dueAtMs: number;
  /** Why not before; null where it may go at once. */
  delayedBy: DelayReason | null;
}

const noUnits: readonly string[] = [];

/** As a URL is that nobody has asked for yet. */
export function newEntry(
  found: Pick<
    OpenEntry,
    | "url"
    | "urlId"
    | "domain"
    | "depth"
    | "root"
    | "parent"
    | "redirects"
    | "priority"
    | "granted"
    | "sitemap"
    | "stray"
  >,
): OpenEntry {
  const { url, urlId, domain, depth, root, parent, redirects, priority, granted, sitemap, stray } = found;
  return {
    url,
    urlId,
    domain,
    depth,
    root,
    parent,
    redirects,
    priority,
    place: 0,
    attempt: 1,
    releases: 0,
    visit: 1,
    granted,
    sitemap,
    stray,
    units: noUnits,
    leaseUntilMs: 0,
    dueAtMs: 0,
    delayedBy: null,
  };
}

/** How a URL came to its end. */
export type Settled = "done" | "failed" | "skipped";

/**
 * Durable form, beside what the key says: URL, root (0: the URL itself; else its number among those of the view, or its text),
 * parent, depth, then numbers of which those at the end are left out that are as for a URL that was never released, and names of
 * budgets. Where the key says the depth it may be left out too.
 */
export type StoredEntry = readonly [
  url: string,
  root: string | number | null,
  parent: string | null,
  depth?: number,
  ...more: (number | string)[],
];

/** URL, root, parent and depth: there is nothing more of one that was never asked for. */
const waitingParts = 4;

/** Redirects, attempt, releases, granted, lease, due time, visit, priority, level of a sitemap, stray. */
const usual = [0, 1, 0, 0, 0, 0, 1, defaultPriority, 0, 0];

/** @param rootNumber of its root; null where the root has none, and its text is stored */
export function storedEntry(entry: OpenEntry, rootNumber: number | null): StoredEntry {
  const { redirects, attempt, releases, leaseUntilMs, dueAtMs, visit, priority, sitemap } = entry;
  const stray = entry.stray ? 1 : 0;
  const granted = entry.granted ? 1 : 0;
  const times = [leaseUntilMs, dueAtMs];
  const numbers = [redirects, attempt, releases, granted, ...times, visit, priority, sitemap, stray];
  if (entry.units.length === 0)
    while (numbers.length > 0 && numbers.at(-1) === usual[numbers.length - 1]) numbers.pop();
  return [
    shortened(entry.url, entry.domain),
    entry.root === entry.url
      ? 0
      : (rootNumber ?? (entry.root === null ? null : shortened(entry.root, entry.domain))),
    entry.parent === null ? null : idText(entry.parent),
    entry.depth,
    ...numbers,
    ...entry.units,
  ];
}

/** The same of one that waits, whose key says its depth as well, unless that is too deep for it. */
export function storedWaiting(entry: OpenEntry, rootNumber: number | null): StoredEntry {
  const stored = storedEntry(entry, rootNumber);
  const [url, root, parent] = stored;
  return stored.length > waitingParts || entry.depth > depthMax ? stored : [url, root, parent];
}

/** Of a sitemap: the same URL may be linked as a page, and then it is one of its own. No canonical URL has a space. */
export const sitemapIdOf = (url: string): string => urlIdOf(`sitemap ${url}`);

/** @param key what the key of the entry says; that of one that waits does not say its id */
export function entryOf(
  key: {
    readonly domain: string;
    readonly urlId?: string;
    readonly depth?: number;
    readonly place?: number;
    readonly delayedBy?: DelayReason | null;
  },
  [urlText, rootStored, parent, depth = key.depth ?? 0, ...more]: StoredEntry,
  roots: Roots,
): OpenEntry {
  const { domain, place = 0, delayedBy = null } = key;
  const numbers = more as readonly number[];
  const units = more.length > usual.length ? (more.slice(usual.length) as string[]) : noUnits;
  const [redirects = 0, attempt = 1, releases = 0, granted = 0, leaseUntilMs = 0, dueAtMs = 0, visit = 1] =
    numbers;
  const [priority = defaultPriority, sitemap = 0, stray = 0] = numbers.slice(7);
  const url = restored(urlText, domain);
  return {
    url,
    urlId: key.urlId ?? (sitemap > 0 ? sitemapIdOf(url) : urlIdOf(url)),
    domain,
    depth,
    root: rootOf(rootStored, url, domain, roots),
    parent: parent === null ? null : idOf(parent),
    redirects,
    priority,
    place,
    attempt,
    releases,
    visit,
    granted: granted === 1,
    sitemap,
    stray: stray === 1,
    units,
    leaseUntilMs,
    dueAtMs,
    delayedBy,
  };
}

function rootOf(stored: StoredEntry[1], url: string, domain: string, roots: Roots): string | null {
  if (stored === null) return null;
  if (stored === 0) return url;
  return typeof stored === "number" ? roots.of(stored) : restored(stored, domain);
}

/** What everybody's URLs begin with need not be said: `https` and the domain. */
export function shortened(url: string, domain: string): string {
  const origin = `https://${domain}/`;
  return url.startsWith(origin) ? url.slice(origin.length - 1) : url;
}

function restored(text: string, domain: string): string {
  return text.startsWith("/") ? `https://${domain}${text}` : text;
}
