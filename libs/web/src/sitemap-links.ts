/** What a crawl takes from a sitemap: canonical URLs in the order in which they are worth asking for. */
import type { Sitemap, SitemapEntry, SitemapKind } from "./sitemap.ts";
import { canonicalize, type CanonicalUrl } from "./url.ts";

/** URLs of one file together, in characters: what one file gives goes on in one piece. */
export const sitemapLinksCharsMax = 8 * 1024 * 1024;

export interface SitemapPage {
  readonly link: CanonicalUrl;
  /** 0 to 1, among the site's own pages; null where it is not given. */
  readonly priority: number | null;
}

export interface SitemapLinks {
  readonly kind: SitemapKind;
  /** Each once; what changed last comes first, then what does not say when, in the order of the file. */
  readonly pages: readonly SitemapPage[];
  /** Other sitemaps that an index lists, each once. */
  readonly sitemaps: readonly CanonicalUrl[];
  /** Entries that are no URL that can be crawled. */
  readonly refusedCount: number;
  /** Why the rest of the file was not read; null where all of it was. */
  readonly truncated: string | null;
}

export function sitemapLinks(sitemap: Sitemap): SitemapLinks {
  const { kind } = sitemap;
  let { refusedCount, truncated } = sitemap;
  let charsLeft = sitemapLinksCharsMax;
  const canonical = (entries: readonly SitemapEntry[]): ReadonlyMap<string, SitemapPage> => {
    const found = new Map<string, SitemapPage>();
    for (const { url, priority } of entries) {
      const link = canonicalize(url);
      if (link.kind === "refused") refusedCount += 1;
      else if (!found.has(link.urlId)) {
        charsLeft -= link.url.length;
        if (charsLeft < 0) {
          truncated ??= `URLs beyond ${sitemapLinksCharsMax} characters are not taken`;
          break;
        }
        found.set(link.urlId, { link, priority });
      }
    }
    return found;
  };
  const sitemaps = [...canonical(sitemap.sitemaps).values()].map(({ link }) => link);
  const pages = [...canonical(sitemap.urls.toSorted(newestFirst)).values()];
  return { kind, pages, sitemaps, refusedCount, truncated };
}

/** Stable: what is as new as another, or does not say, stays where it is. */
function newestFirst(a: SitemapEntry, b: SitemapEntry): number {
  return (b.lastModifiedMs ?? -Infinity) === (a.lastModifiedMs ?? -Infinity)
    ? 0
    : (b.lastModifiedMs ?? -Infinity) > (a.lastModifiedMs ?? -Infinity)
      ? 1
      : -1;
}
