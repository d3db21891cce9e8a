import { createGunzip, gzipSync } from "node:zlib";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readSitemap, sitemapBytesMax, SitemapParser, sitemapUrlsMax, type Sitemap } from "../src/index.ts";

const at = "https://e.com/sitemap.xml";

const packed = async function* (body: Uint8Array): AsyncGenerator<Uint8Array> {
  const gunzip = createGunzip();
  gunzip.end(body);
  yield* gunzip;
};
const inPieces = async function* (body: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let from = 0; from < body.length; from += 65_536)
    yield await Promise.resolve(body.subarray(from, from + 65_536));
};
const readBody = (body: Uint8Array, type: string | null = null): Promise<Sitemap> =>
  readSitemap(body[0] === 0x1f ? packed(body) : inPieces(body), at, type);
const readText = (text: string, url = at): Promise<Sitemap> => readSitemap(inPieces(Buffer.from(text)), url);
const urlsOf = ({ urls }: Sitemap): string[] => urls.map(({ url }) => url);

const urlset = (...entries: readonly string[]): string =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">${entries.join("\n")}</urlset>`;

describe("a sitemap", () => {
  test("gives its URLs with what the site says of them", async () => {
    const sitemap = await readText(
      urlset(
        "<url><loc> https://e.com/?a=1&amp;b=&#50; </loc><lastmod>2026-11-22T09:30:00+01:00</lastmod><priority>0.8</priority></url>",
        "<url><loc><![CDATA[https://e.com/c?x&y]]></loc><lastmod>soon</lastmod><priority>7</priority></url>",
        "<url><priority>0.1</priority></url>",
        "<url><loc>ftp://e.com/</loc></url><url><loc>/relative</loc></url>",
        "<url><loc>https://e.com/c?x&amp;y</loc></url>",
      ),
    );
    expect(sitemap).toEqual({
      kind: "urlset",
      urls: [
        {
          url: "https://e.com/?a=1&b=2",
          lastModifiedMs: Date.UTC(2026, 10, 22, 8, 30),
          priority: 0.8,
        },
        { url: "https://e.com/c?x&y", lastModifiedMs: null, priority: null },
      ],
      sitemaps: [],
      refusedCount: 3,
      truncated: null,
    });
  });

  test("takes only the loc of its own entries, not that of images and alternates in them", async () => {
    const sitemap = await readText(
      urlset(
        '<url><image:image><image:loc>https://e.com/i.png</image:loc></image:image><loc>https://e.com/</loc><xhtml:link rel="alternate" href="https://e.com/de"/></url>',
      ).replaceAll("urlset", "sm:urlset"),
    );
    expect(urlsOf(sitemap)).toEqual(["https://e.com/"]);
  });

  test("of the kind index lists other sitemaps", async () => {
    const index = `<sitemapindex><sitemap><loc>https://e.com/1.xml.gz</loc><lastmod>2026</lastmod></sitemap></sitemapindex>`;
    expect(await readText(index)).toMatchObject({
      kind: "index",
      urls: [],
      sitemaps: [{ url: "https://e.com/1.xml.gz", lastModifiedMs: Date.UTC(2026, 0, 1) }],
    });
  });

  test.each([
    [
      "RSS",
      "<rss><channel><link>https://e.com/</link><item><link>/a?b&amp;c</link><pubDate>Sun, 22 Nov 2026 08:30:00 +0100</pubDate></item></channel></rss>",
      "rss",
      "https://e.com/a?b&c",
      Date.UTC(2026, 10, 22, 7, 30),
    ],
    [
      "RSS 1.0",
      '<rdf:RDF><channel/><item rdf:about="x"><link>https://e.com/a</link><dc:date>2026-11</dc:date></item></rdf:RDF>',
      "rss",
      "https://e.com/a",
      Date.UTC(2026, 10, 1),
    ],
    [
      "Atom",
      '<feed><link href="/"/><entry><link rel="self" href="/s"/><link href=\'/a?b&amp;c\' /><updated>2026-11-22t08:30:00.25z</updated></entry></feed>',
      "atom",
      "https://e.com/a?b&c",
      Date.UTC(2026, 10, 22, 8, 30),
    ],
  ])("may be %s", async (_name, text, kind, url, lastModifiedMs) => {
    expect(await readText(text)).toMatchObject({ kind, urls: [{ url, lastModifiedMs }], refusedCount: 0 });
  });

  test("may be a list of URLs, with any line ends and a byte order mark", async () => {
    const text = "\ufeffhttps://e.com/1\r\nhttps://e.com/2\rhttps://e.com/ü\n\nno URL\nhttps://e.com/3";
    const sitemap = await readText(text);
    expect(sitemap).toMatchObject({ kind: "text", refusedCount: 1 });
    expect(urlsOf(sitemap)).toEqual([
      "https://e.com/1",
      "https://e.com/2",
      "https://e.com/%C3%BC",
      "https://e.com/3",
    ]);
  });

  test("may be packed, and declares its encoding in its first line or its header", async () => {
    const text = urlset("<url><loc>https://e.com/ü</loc></url>");
    expect(urlsOf(await readBody(gzipSync(text)))).toEqual(["https://e.com/%C3%BC"]);
    const latin = Buffer.from(text.replace("UTF-8", "ISO-8859-1"), "latin1");
    expect(urlsOf(await readBody(latin, "application/xml"))).toEqual(["https://e.com/%C3%BC"]);
    const utf16 = Buffer.from(`\ufeff${text}`, "utf16le");
    expect(urlsOf(await readBody(utf16))).toEqual(["https://e.com/%C3%BC"]);
    const plain = Buffer.from("https://e.com/ü");
    expect(urlsOf(await readBody(plain, "text/plain"))).toEqual(["https://e.com/%C3%BC"]);
  });

  test("that is a page of another kind, empty or nothing at all gives nothing", async () => {
    const page =
      "<!doctype html><html><body><a href='https://e.com/'>x</a><url><loc>https://e.com/</loc></url></body></html>";
    for (const text of [page, "", "  \n ", "<", "<!-- -->", "\u0000\u0001"])
      expect(urlsOf(await readText(text))).toEqual([]);
  });
});

describe("a hostile sitemap", () => {
  test("expands no entity and reads nothing that its DOCTYPE defines", async () => {
    const bomb = `<?xml version="1.0"?><!DOCTYPE urlset [
      <!ENTITY a "<url><loc>https://evil.example/</loc></url>"> <!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">
      <!ENTITY c SYSTEM "file:///etc/passwd"> ]>
      <urlset>&b;<url><loc>https://e.com/&b;&c;</loc></url></urlset>`;
    expect(urlsOf(await readText(bomb))).toEqual(["https://e.com/&b;&c;"]);
  });

  test("is read to 50,000 entries and 50 MB, also where few bytes unpack to many", async () => {
    const entries = Array.from(
      { length: sitemapUrlsMax + 1 },
      (_, i) => `<url><loc>https://e.com/${i}</loc></url>`,
    );
    const long = await readBody(gzipSync(urlset(...entries)));
    expect(long.urls).toHaveLength(sitemapUrlsMax);
    expect(long.truncated).toBe("entries beyond 50000 are not read");
    const start = Buffer.from("<urlset><url><loc>https://e.com/</loc></url>");
    const bomb = gzipSync(Buffer.concat([start, Buffer.alloc(sitemapBytesMax, " ")]));
    expect(bomb.length).toBeLessThan(60_000);
    expect(await readBody(bomb)).toMatchObject({
      urls: [{ url: "https://e.com/" }],
      truncated: "what is beyond 52428800 bytes is not read",
    });
  });

  test("that is cut in packing keeps what came before", async () => {
    const entries = Array.from(
      { length: 20_000 },
      (_, i) => `<url><loc>https://e.com/${i * 7919}</loc></url>`,
    );
    const body = gzipSync(urlset(...entries));
    const { urls, truncated } = await readBody(body.subarray(0, body.length >> 1));
    expect(urls.length).toBeGreaterThan(1000);
    expect(truncated).toContain("not unpacked to its end");
    expect((await readBody(Uint8Array.of(0x1f, 0x8b, 1, 2, 3))).truncated).not.toBeNull();
  });

  test("costs time that grows no faster than it does, and stops at a tag that never ends", async () => {
    const million = 1_000_000;
    const texts = [
      `<urlset>${"<url>".repeat(million)}`,
      `<urlset>${"<url><loc>".repeat(million / 2)}`,
      `<urlset>${"</a>".repeat(million)}`,
      `<urlset><!--${"-".repeat(5 * million)}`,
      `<urlset>${"&".repeat(3 * million)}`,
      `<urlset><![CDATA[${"]".repeat(3 * million)}`,
      `<!DOCTYPE ${"[".repeat(3 * million)}`,
      `<urlset><url><loc>${"x".repeat(3 * million)}`,
    ];
    for (const text of texts) expect((await readText(text)).urls).toEqual([]);
    expect((await readText(`<urlset><url a="${"x".repeat(million)}`)).truncated).toBe("a tag does not end");
  });
});

test("a sitemap is the same in whatever pieces it comes", () => {
  const text = `<?xml version="1.0"?><!DOCTYPE u [<!ENTITY x "]>">]><!-- <url> --><urlset><url><loc>https://e.com/&amp;&#x41;<![CDATA[<b>&amp;]]></loc><priority>.5</priority></url><url><loc>https://e.com/2</loc><image:loc>x</image:loc></url></urlset>`;
  const whole = new SitemapParser(at);
  whole.write(text);
  const expected = whole.end();
  expect(urlsOf(expected)).toEqual(["https://e.com/&A%3Cb%3E&amp;", "https://e.com/2"]);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: text.length }), { maxLength: 12 }), (cuts) => {
      const parser = new SitemapParser(at);
      const sorted = [0, ...cuts.toSorted((a, b) => a - b), text.length];
      for (const [i, from] of sorted.entries()) parser.write(text.slice(from, sorted[i + 1] ?? text.length));
      expect(parser.end()).toEqual(expected);
    }),
    { numRuns: 2000 },
  );
});

test("a sitemap never fails, whatever its octets", async () => {
  const bits = [
    "<",
    ">",
    "<url>",
    "</url>",
    "<loc>",
    "</loc>",
    "<!",
    "[",
    "]]>",
    "&",
    "&#x",
    "https://e.com/",
    "'",
    '"',
    "/",
  ];
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: fc.constantFrom(...bits), maxLength: 40 }), async (text) => {
      for (const { url } of (await readText(`<urlset>${text}`)).urls) expect(url).toMatch(/^https?:/);
    }),
    { numRuns: 1000 },
  );
});
