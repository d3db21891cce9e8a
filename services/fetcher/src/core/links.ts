import { hostOf, politenessKeyOf, topics, type Link, type PolitenessKey } from "@sluice/records";
import { kinshipOf, registrableDomain, type Admission, type CanonicalUrl, type Suspicion } from "@sluice/web";
import type { Effects } from "./answers.ts";

const urlsPerRecord = 500;

/** The page on which links were found. */
export interface LinkingPage {
  readonly domain: string;
  /** What the domain of records is. */
  readonly politenessKey: PolitenessKey;
  readonly depth: number;
  /** Depth decides what is admitted, and the page may be nearer than it was found: then its links are wanted again. */
  readonly keepsOutlinks: boolean;
  readonly suspicion: Suspicion | null;
  readonly url: string;
}

export interface SentLinks {
  readonly records: number;
  readonly links: number;
  /** They lead to nothing but other hosts of the page's domain. */
  readonly strays: boolean;
}

/**
 * Sends links on to the tasks of the domains they lead to, many in one record. What is out of scope stays
 * here: the frontier would refuse it, and most links of most pages lead away.
 */
export function sendLinks(
  out: Effects,
  found: Omit<Link, "urls">,
  links: readonly CanonicalUrl[],
  admission: Admission,
  page: LinkingPage,
): SentLinks {
  const admitted = links.filter((link) => admission.decide(link, found).admitted);
  let records = page.keepsOutlinks ? sendOutlinks(out, found, links, admission, page) : 0;
  const { suspicion } = page;
  const within = suspicion === null ? found : { ...found, suspicion };
  const root = found.root === null ? null : hostOf(found.root);
  // Redirects move a page, and have a limit of their own.
  const kinOf =
    found.kind === "link" ? kinshipOf({ url: page.url, host: hostOf(page.url), root }, links) : () => null;
  let strays = false;
  for (const [domain, urls] of byDomain(admitted, page.politenessKey)) {
    const plain = domain === page.domain ? within : found;
    // Of hosts that share a politeness key only some may be strays.
    for (const [kin, some] of Map.groupBy(urls, (url) => kinOf(hostOf(url)))) {
      strays ||= kin === "stray";
      records += sendRecords(out, kin === null ? plain : { ...plain, kin }, domain, some);
    }
  }
  return { records, links: admitted.length, strays };
}

/** URLs by the domain to whose task they go, in the order in which each was found first. */
export function byDomain(
  links: readonly CanonicalUrl[],
  politenessKey: PolitenessKey,
): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const link of links) {
    const domain = politenessKeyOf(politenessKey, link.domain, registrableDomain);
    const urls = found.get(domain);
    if (urls === undefined) found.set(domain, [link.url]);
    else urls.push(link.url);
  }
  return found;
}

/** What the page leads to, at whatever depth, to the task of the page's own domain. */
function sendOutlinks(
  out: Effects,
  found: Omit<Link, "urls">,
  links: readonly CanonicalUrl[],
  admission: Admission,
  { domain, depth }: LinkingPage,
): number {
  const urls = links
    .filter((link) => admission.decide(link, { ...found, depth: 0 }).admitted)
    .map(({ url }) => url);
  return sendRecords(out, { ...found, kind: "outlinks", depth }, domain, urls);
}

/** URLs of one record of links, in as many as they take; returns how many. */
export function sendRecords(
  out: Effects,
  found: Omit<Link, "urls">,
  domain: string,
  urls: readonly string[],
): number {
  const isJudged = found.suspicion !== undefined || found.kin !== undefined;
  for (let from = 0; from < urls.length; from += urlsPerRecord) {
    const further = isJudged && from > 0 ? { further: true as const } : {};
    const value: Link = { ...found, ...further, urls: urls.slice(from, from + urlsPerRecord) };
    out.push({ kind: "send", topic: topics.links.name, key: domain, value });
  }
  return Math.ceil(urls.length / urlsPerRecord);
}
