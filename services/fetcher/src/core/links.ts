import { topics, type Link } from "@sluice/records";
import { canonicalize, type Admission } from "@sluice/web";
import type { Effects } from "./answers.ts";
import type { PageLink } from "./page-links.ts";

const urlsPerRecord = 500;

/**
 * Sends links on to the tasks of the domains they lead to, many in one record. What is out of scope stays
 * here: the frontier would refuse it, and most links of most pages lead away.
 */
export function sendLinks(
  out: Effects,
  found: Omit<Link, "urls">,
  links: readonly PageLink[],
  admission: Admission,
): { readonly records: number; readonly links: number } {
  const byDomain = new Map<string, string[]>();
  let count = 0;
  for (const link of links) {
    const url = canonicalize(link.url);
    if (url.kind !== "url" || !admission.decide(url, found).admitted) continue;
    count += 1;
    const urls = byDomain.get(link.domain);
    if (urls === undefined) byDomain.set(link.domain, [link.url]);
    else urls.push(link.url);
  }
  let records = 0;
  for (const [domain, urls] of byDomain) {
    for (let from = 0; from < urls.length; from += urlsPerRecord) {
      const value: Link = { ...found, urls: urls.slice(from, from + urlsPerRecord) };
      out.push({ kind: "send", topic: topics.links.name, key: domain, value });
      records += 1;
    }
  }
  return { records, links: count };
}
