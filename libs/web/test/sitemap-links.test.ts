import { describe, expect, test } from "vitest";
import { sitemapLinks, sitemapLinksCharsMax, type Sitemap, type SitemapEntry } from "../src/index.ts";

const entry = (url: string, fields: Partial<SitemapEntry> = {}): SitemapEntry => ({
  url,
  lastModifiedMs: null,
  priority: null,
  ...fields,
});

const sitemap = (fields: Partial<Sitemap>): Sitemap => ({
  kind: "urlset",
  urls: [],
  sitemaps: [],
  refusedCount: 0,
  truncated: null,
  ...fields,
});

const urlsOf = (urls: readonly SitemapEntry[]): readonly string[] =>
  sitemapLinks(sitemap({ urls })).pages.map(({ link }) => link.path);

describe("what a crawl takes from a sitemap", () => {
  test("is canonical, each once, with the hint of its first entry", () => {
    const urls = [entry("HTTPS://H.example:443/a#x", { priority: 0.8 }), entry("https://h.example/a")];
    const links = sitemapLinks(sitemap({ urls, sitemaps: [entry("https://h.example/b/../c.xml")] }));
    expect(links.pages).toMatchObject([{ link: { url: "https://h.example/a" }, priority: 0.8 }]);
    expect(links.sitemaps).toMatchObject([{ url: "https://h.example/c.xml" }]);
  });

  test("has what changed last first, and what does not say when in the order of the file behind it", () => {
    expect(
      urlsOf([
        entry("https://h.example/1"),
        entry("https://h.example/2", { lastModifiedMs: 10 }),
        entry("https://h.example/3"),
        entry("https://h.example/4", { lastModifiedMs: 20 }),
        entry("https://h.example/5", { lastModifiedMs: 10 }),
      ]),
    ).toEqual(["/4", "/2", "/5", "/1", "/3"]);
  });

  test("leaves out what can't be crawled, and counts it with what the file had that is no URL", () => {
    const urls = [entry(`https://h.example/${"x".repeat(3000)}`), entry("https://h.example/a")];
    expect(sitemapLinks(sitemap({ urls, refusedCount: 2 }))).toMatchObject({ refusedCount: 3 });
  });

  test("is no more than a limit of characters, and says so", () => {
    const urls = Array.from({ length: 5000 }, (_, index) =>
      entry(`https://h.example/${index}${"y".repeat(2000)}`),
    );
    const { pages, truncated } = sitemapLinks(sitemap({ urls }));
    const chars = pages.reduce((sum, { link }) => sum + link.url.length, 0);
    expect(chars).toBeLessThanOrEqual(sitemapLinksCharsMax);
    expect(chars).toBeGreaterThan(sitemapLinksCharsMax - 2100);
    expect(truncated).toContain("not taken");
  });
});
