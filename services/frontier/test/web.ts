import { canonicalize } from "@sluice/web";
import type { Random } from "@sluice/topology/testing";

export type Fate = "ok" | "failed" | "refused" | "redirect";

export interface Page {
  readonly url: string;
  readonly domain: string;
  readonly fate: Fate;
  /** Where its links, or its redirect, lead. */
  readonly links: readonly string[];
}

/** A random link graph over some domains, with what will become of each page. */
export class Web {
  readonly pages = new Map<string, Page>();

  constructor(
    random: Random,
    size: number,
    domains: number,
    fates: { readonly failed: number; readonly refused: number; readonly redirect: number },
    urlAt = (index: number): string => `https://d${random.below(domains)}.example/${index}`,
    keyOf = (host: string): string => host,
  ) {
    const urls = Array.from({ length: size }, (_, index) => urlAt(index));
    for (const [index, url] of urls.entries()) {
      const dice = random.next();
      let fate: Fate = "ok";
      if (dice < fates.failed) fate = "failed";
      else if (dice < fates.failed + fates.refused) fate = "refused";
      else if (dice < fates.failed + fates.refused + fates.redirect) fate = "redirect";
      const links: string[] = [];
      // A path through all pages, so that most are reached, and random ones beside it.
      const next = urls[index + 1];
      if (next !== undefined) links.push(next);
      for (let more = random.below(5); more > 0; more -= 1) links.push(random.pick(urls));
      this.pages.set(url, {
        url,
        domain: keyOf(domainOf(url)),
        fate,
        links: fate === "redirect" ? links.slice(-1) : links,
      });
    }
  }

  get urls(): readonly string[] {
    return [...this.pages.keys()];
  }

  page(url: string): Page {
    const page = this.pages.get(url);
    if (page === undefined) throw new Error(`no page ${url}`);
    return page;
  }

  /** All URLs that a crawl from these seeds comes to, each with its depth, breadth first: a redirect is no link. */
  reachable(
    seeds: readonly string[],
    maxDepth = Infinity,
    throughFailed = false,
  ): ReadonlyMap<string, number> {
    const found = new Map<string, number>();
    let level = [...seeds];
    for (let depth = 0; depth <= maxDepth && level.length > 0; depth += 1) {
      const next: string[] = [];
      for (let url = level.pop(); url !== undefined; url = level.pop()) {
        if (found.has(url)) continue;
        found.set(url, depth);
        const { fate, links } = this.page(url);
        if (fate === "redirect") level.push(...links);
        if (fate === "ok" || (throughFailed && fate === "failed")) next.push(...links);
      }
      level = next;
    }
    return found;
  }
}

export function domainOf(raw: string): string {
  const url = canonicalize(raw);
  if (url.kind === "refused") throw new Error(`${raw}: ${url.detail}`);
  return url.domain;
}
