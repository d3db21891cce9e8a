import { idOf, idText } from "./keys.ts";

/** A URL of one run of a job that has not come to its end. */
export interface OpenEntry {
  readonly url: string;
  readonly urlId: string;
  readonly domain: string;
  depth: number;
  readonly root: string | null;
  readonly parent: string | null;
  readonly redirects: number;
  /** Place among those that wait in the task: it goes to the end of its queue each time it begins to wait. */
  place: number;
  attempt: number;
  /** Releases so far; makes release ids unique. */
  releases: number;
  /** A page grant is spent on it. */
  granted: boolean;
  leaseUntilMs: number;
  /** Not before this instant; 0 where it may go at once. */
  dueAtMs: number;
}

/** How a URL came to its end. */
export type Settled = "done" | "failed" | "skipped";

/**
 * Durable form, beside what the key says: URL, root, parent, depth, then numbers of which those at the end are
 * left out that are as for a URL that was never released.
 */
export type StoredEntry = readonly [
  url: string,
  root: string | 0 | null,
  parent: string | null,
  depth: number,
  ...numbers: number[],
];

/** Redirects, attempt, releases, granted, lease, due time. */
const usual = [0, 1, 0, 0, 0, 0];

export function storedEntry(entry: OpenEntry): StoredEntry {
  const { redirects, attempt, releases, granted, leaseUntilMs, dueAtMs } = entry;
  const numbers = [redirects, attempt, releases, granted ? 1 : 0, leaseUntilMs, dueAtMs];
  while (numbers.length > 0 && numbers.at(-1) === usual[numbers.length - 1]) numbers.pop();
  return [
    shortened(entry.url, entry.domain),
    entry.root === entry.url ? 0 : entry.root === null ? null : shortened(entry.root, entry.domain),
    entry.parent === null ? null : idText(entry.parent),
    entry.depth,
    ...numbers,
  ];
}

/** @param key what the key of the entry says */
export function entryOf(
  key: { readonly domain: string; readonly urlId: string; readonly place?: number },
  [urlText, rootText, parent, depth, ...numbers]: StoredEntry,
): OpenEntry {
  const { domain, urlId, place = 0 } = key;
  const [redirects = 0, attempt = 1, releases = 0, granted = 0, leaseUntilMs = 0, dueAtMs = 0] = numbers;
  const url = restored(urlText, domain);
  return {
    url,
    urlId,
    domain,
    depth,
    root: rootText === 0 ? url : rootText === null ? null : restored(rootText, domain),
    parent: parent === null ? null : idOf(parent),
    redirects,
    place,
    attempt,
    releases,
    granted: granted === 1,
    leaseUntilMs,
    dueAtMs,
  };
}

/** What everybody's URLs begin with need not be said: `https` and the domain. */
function shortened(url: string, domain: string): string {
  const origin = `https://${domain}/`;
  return url.startsWith(origin) ? url.slice(origin.length - 1) : url;
}

function restored(text: string, domain: string): string {
  return text.startsWith("/") ? `https://${domain}${text}` : text;
}
