import * as fc from "fast-check";
import { parse, type DefaultTreeAdapterTypes } from "parse5";
import { describe, expect, test } from "vitest";
import { scanPieces } from "../src/html.ts";
import { scanHtml, type PageLink } from "../src/index.ts";
import { describeWithData, filesOf, readJson, readText } from "./shared-data.ts";

const page = "https://example.com/dir/page";

function urlsOf(html: string): string[] {
  return scanHtml(html, page).links.map(({ url }) => url);
}

describe("scanHtml", () => {
  test("reads what a crawler wants of a page", () => {
    const html = `<!DOCTYPE html><HTML LANG=" en-GB "><head><title> One &amp;
      <b> two </title><title>second</title>
      <meta name=Description content=" A  page "><meta name="robots" content="noindex"><meta name="SLUICE" content="noarchive">
      <link rel="Canonical" href="/canonical"><link rel=stylesheet href=/style.css><link rel=icon href=/icon.png>
      <meta http-equiv=Refresh content="5; URL='next?a=1&amp;b=2'"></head>
      <body><a href="a" rel="NoFollow  external">the <b>first</b><script>var x</script> link</a>
      <map><area href=b></map><iframe src=c></iframe></body></html>`;
    const link = { text: "", nofollow: false, rel: null };
    expect(scanHtml(html, page)).toEqual({
      title: "One & <b> two",
      description: "A page",
      lang: "en-GB",
      canonical: "https://example.com/canonical",
      base: page,
      robots: { noindex: true, nofollow: false, noarchive: true },
      metaRefreshUrl: "https://example.com/dir/next?a=1&b=2",
      links: [
        { ...link, kind: "link", url: "https://example.com/canonical", rel: "canonical" },
        { ...link, kind: "meta_refresh", url: "https://example.com/dir/next?a=1&b=2" },
        {
          kind: "a",
          url: "https://example.com/dir/a",
          text: "the first link",
          nofollow: true,
          rel: "nofollow external",
        },
        { ...link, kind: "area", url: "https://example.com/dir/b" },
        { ...link, kind: "iframe", url: "https://example.com/dir/c" },
      ],
      linksTruncated: false,
    });
  });

  test("answers with nothing for an empty page", () => {
    expect(scanHtml("", page)).toMatchObject({
      title: null,
      description: null,
      lang: null,
      canonical: null,
      links: [],
    });
  });

  test("resolves all links against the first base that has an href, wherever it stands", () => {
    const html = "<a href=a></a><base target=_top><base href=/other/><base href=/third/><a href=b>";
    expect(scanHtml(html, page).base).toBe("https://example.com/other/");
    expect(urlsOf(html)).toEqual(["https://example.com/other/a", "https://example.com/other/b"]);
    expect(urlsOf("<base href='data:text/html,x'><a href=a>")).toEqual(["https://example.com/dir/a"]);
  });

  test.each([
    ["a comment", "<!-- <a href=x></a> --><a href=y></a>"],
    [
      "a comment that a script hides",
      "<script><!-- <script> </script> <a href=x> --></script><a href=y></a>",
    ],
    ["script", "<script>'<a href=x></a>'</script><a href=y></a>"],
    ["style", "<style><a href=x></a></style><a href=y></a>"],
    ["textarea", "<textarea><a href=x></a></textarea><a href=y></a>"],
    ["title", "<title><a href=x></a></title><a href=y></a>"],
    ["xmp", "<xmp><a href=x></a></xmp><a href=y></a>"],
    ["iframe", "<iframe><a href=x></a></iframe><a href=y></a>"],
    ["noembed", "<noembed><a href=x></a></noembed><a href=y></a>"],
    ["template", "<template><template></template><a href=x></a></template><a href=y></a>"],
    ["CDATA inside svg", "<svg><![CDATA[<a href=x></a>]]></svg><a href=y></a>"],
    ["an attribute", "<p title='<a href=x>'><a href=y></a>"],
    ["a tag that never ends", "<a href=y></a><a href=x"],
  ])("finds no link in %s", (_where, html) => {
    expect(urlsOf(html)).toEqual(["https://example.com/dir/y"]);
  });

  test.each([
    ["noscript, since scripts are not run", "<noscript><a href=y></a></noscript>"],
    ["svg", "<svg><a xlink:href=y></a></svg>"],
    ["a style of svg, which is markup", "<svg><style><a href=y></a></style></svg>"],
    ["markup after an svg that never ends", "<svg><p><style><a href=x></a></style><a href=y></a>"],
    ["an upper-case tag", "<A HREF=y></A>"],
    ["the first of two attributes of one name", "<a href=y href=x></a>"],
    ["an attribute with blanks and line ends", "<a href=' \n y\t\r\n '></a>"],
    ["an attribute with character references", "<a href='&#x79;'></a>"],
    ["a tag with a slash", "<a href=y /></a>"],
    ["a tag with stray quotes", "<a \"' href=y></a>"],
  ])("finds the link in %s", (_where, html) => {
    expect(urlsOf(html)).toEqual(["https://example.com/dir/y"]);
  });

  test("decodes character references in attributes by the rules for attributes", () => {
    const html = "<a href='?a=1&copy=2&amp;b=3&copy;&#38;c&notit;'></a><a href=\"?q='&quot;'\"></a>";
    expect(urlsOf(html)).toEqual([
      "https://example.com/dir/page?a=1&copy=2&b=3%C2%A9&c&notit;",
      "https://example.com/dir/page?q=%27%22%27",
    ]);
  });

  test("leaves out what is not http or https", () => {
    const html = [
      "mailto:a@b.c",
      "javascript:void(0)",
      "tel:1",
      "data:,x",
      "http://",
      "https://[",
      "ftp://h/",
    ]
      .map((href) => `<a href="${href}"></a>`)
      .join("");
    expect(urlsOf(html)).toEqual([]);
  });

  test("takes an image's alternative text as the anchor's", () => {
    expect(scanHtml("<a href=x> see <img alt='the &quot;map&quot;'></a>", page).links[0]?.text).toBe(
      'see the "map"',
    );
  });

  test("takes what looks like an end tag for text where it is text", () => {
    expect(scanHtml("<a href=x><plaintext>a &amp; </textarea><b title='no'> c", page).links[0]?.text).toBe(
      "a & </textarea><b title='no'> c",
    );
  });

  test("ends an anchor's text where the next anchor starts", () => {
    const { links } = scanHtml("<a href=x>one<p>two<a href=y>three</a>four", page);
    expect(links.map(({ text }) => text)).toEqual(["onetwo", "three"]);
  });

  test.each([
    ["0;url=next", "https://example.com/dir/next"],
    ["0; next", "https://example.com/dir/next"],
    ["1.5 , URL = 'next' trailing", "https://example.com/dir/next"],
    ["5", null],
    ["5;", null],
    ["soon; url=next", null],
    ["0;url=javascript:x", null],
  ])("reads the refresh %j", (content, url) => {
    expect(scanHtml(`<meta http-equiv="refresh" content="${content}">`, page).metaRefreshUrl).toBe(url);
  });

  test("cuts title, description and anchor text to their limits", () => {
    const long = "😀".repeat(2000);
    const scan = scanHtml(
      `<title>x${long}</title><meta name=description content="${long}"><a href=x>${long}</a>`,
      page,
    );
    expect(scan.title).toHaveLength(499);
    expect(scan.description).toHaveLength(1000);
    expect(scan.links[0]?.text).toHaveLength(500);
    expect(scan.title?.isWellFormed()).toBe(true);
  });

  test("keeps at most the links asked for and says so", () => {
    const html = "<a href=x></a>".repeat(4);
    expect(scanHtml(html, page, { linksMax: 4 })).toMatchObject({ linksTruncated: false });
    const cut = scanHtml(html, page, { linksMax: 3 });
    expect([cut.links.length, cut.linksTruncated]).toEqual([3, true]);
  });

  test.each([
    ["100,000 nested tags", `${"<div>".repeat(100_000)}<a href=x>`, 1],
    [
      "100,000 nested svg elements that other tags close",
      `${"<svg>".repeat(100_000)}${"</math>".repeat(100_000)}`,
      0,
    ],
    ["100,000 nested templates", `${"<template>".repeat(100_000)}<a href=x>`, 0],
    ["1,000,000 links", "<a href=x>".repeat(1_000_000), 10_000],
    ["an attribute of 10 MB", `<a href="${"x".repeat(10_000_000)}"></a><a href=x>`, 1],
    ["an attribute of 10 MB of references", `<a href="${"&amp;".repeat(2_000_000)}"></a><a href=x>`, 1],
    ["1,000,000 attributes", `<a ${"x=1 ".repeat(1_000_000)} href=x>`, 1],
    ["an anchor of 10 MB", `<a href=x>${"&amp; ".repeat(1_600_000)}`, 1],
    ["a refresh of digits", `<meta http-equiv=refresh content="${"1".repeat(60_000)}x"><a href=x>`, 1],
    ["tags that never end", "<a href='".repeat(1_000_000), 0],
    ["comments that never end", "<!--".repeat(1_000_000), 0],
  ])("reads %s", (_what, html, links) => {
    expect(scanHtml(html, page).links).toHaveLength(links);
  });

  test("reads the same of a page that comes in pieces, wherever they meet", () => {
    const bits = [
      "<a href='/x?a=1&amp;b=2'>",
      "</a>",
      "<a href=",
      '"y z"',
      ">",
      "<title>a &amp; b",
      "</title>",
      "<!-- ",
      " -->",
      "<!-->",
      "<script>",
      "<script src=z>",
      "</script>",
      "<!--<script>",
      "-->",
      "text &eacute; &#x41;",
      "<base href=/b/>",
      '<meta name="description" content="d &lt; e">',
      "<meta name=robots content=noindex>",
      "<svg>",
      "</svg>",
      "<![CDATA[ <a href=c> ]]>",
      "<template>",
      "</template>",
      "<style>",
      "</style>",
      "<textarea>",
      "</textarea>",
      "<img alt='i j'>",
      "<link rel=canonical href=/c>",
      "<iframe src=f>",
      "</iframe>",
      "<plain",
      "<",
      "&",
      "'",
      '"',
      " ",
    ];
    const markup = fc
      .array(fc.constantFrom(...bits), { minLength: 20, maxLength: 120 })
      .map((parts) => parts.join(""));
    fc.assert(
      fc.property(
        markup,
        fc.array(fc.integer({ min: 60, max: 200 }), { minLength: 1, maxLength: 40 }),
        (html, lengths) => {
          const pieces: string[] = [];
          let from = 0;
          for (let n = 0; from < html.length; n += 1) {
            const to = from + (lengths[n % lengths.length] ?? 60);
            pieces.push(html.slice(from, to));
            from = to;
          }
          expect(scanPieces(pieces, page)).toEqual(scanHtml(html, page));
        },
      ),
      { numRuns: 2_000 },
    );
  });

  test("keeps no more of a page in pieces than two of them, and of its scripts nothing", () => {
    const long = "x".repeat(1_000);
    const pieces = [
      `<a href=/1 ${"b".repeat(5_000)}`,
      long,
      `${long} c>one</a><script>`,
      "<!-- <script ",
      long,
      "</script><a href=/no>",
      long,
      "</script><a href=/2>two</a><",
      "b".repeat(3_000),
      long,
      "a href=/no>",
    ];
    expect(scanPieces(pieces, page).links.map(({ url, text }) => [url, text])).toEqual([
      ["https://example.com/1", "one"],
      ["https://example.com/2", "two"],
    ]);
    expect(scanHtml(pieces.join(""), page).links).toEqual(scanPieces(pieces, page).links);
  });

  test("never throws, and gives only absolute http and https URLs", () => {
    const bits = [
      "<",
      ">",
      "a",
      " href=",
      "'",
      '"',
      "/",
      "x",
      "&amp;",
      "&#x",
      "<a ",
      "<svg>",
      "</svg>",
      "<base href=",
      "<!--",
      "<title>",
    ];
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...bits), maxLength: 60 }), (html) => {
        for (const { url } of scanHtml(html, page).links) expect(url).toMatch(/^https?:\/\/./);
      }),
      { numRuns: 3000 },
    );
  });
});

/** Each a and area with an href, in document order, as parse5's tree has them with scripting off, as ours is. */
function linksByParse5(html: string): string[] {
  const hrefs: { kind: string; href: string }[] = [];
  let base: string | null = null;
  const pending: DefaultTreeAdapterTypes.Node[] = [parse(html, { scriptingEnabled: false })];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    if ("tagName" in node) {
      const href = node.attrs.find(({ name }) => name === "href")?.value;
      if (href !== undefined && node.tagName === "base") base ??= href;
      if (href !== undefined && (node.tagName === "a" || node.tagName === "area"))
        hrefs.push({ kind: node.tagName, href });
    }
    if ("childNodes" in node) pending.push(...node.childNodes.toReversed());
  }
  const resolved = base === null ? page : (URL.parse(base, page)?.href ?? page);
  return hrefs.flatMap(({ kind, href }) => {
    const url = URL.parse(href, resolved);
    return url !== null && /^https?:$/.test(url.protocol) ? [`${kind} ${url.href}`] : [];
  });
}

function linksByScan(html: string): string[] {
  return scanHtml(html, page, { linksMax: Infinity })
    .links.filter(({ kind }) => kind === "a" || kind === "area")
    .map(({ kind, url }) => `${kind} ${new URL(url).href}`);
}

describeWithData("on real pages", ["pages"], () => {
  test("finds the very links that a browser's tree has, in its order, with no exception", () => {
    let count = 0;
    for (const file of filesOf("pages")) {
      const html = readText(file);
      const links = linksByScan(html);
      expect({ file, links }).toEqual({ file, links: linksByParse5(html) });
      count += links.length;
    }
    expect(count).toBe(21_120);
  });
});

interface Row {
  readonly source: string;
  readonly name: string;
  readonly baseUrl: string;
  readonly html_base64: string;
  readonly title: string;
  readonly links: readonly { readonly url: string; readonly text: string }[];
}

/** Rows where we answer otherwise, and why. */
const misses: Readonly<Record<string, string>> = {
  "parse-html testPages[5]": "the source takes img src as a link; an image is no page",
  "parse-html testPages[9]":
    "the source takes the action of a GET form as a link; it leads nowhere without its fields",
  "parse-html testPages[13]": "the source takes img src as a link; an image is no page",
  "parse-html testPages[14]": "the source takes the source of a video as a link; a film is no page",
  "parse-tika testPages[5]": "the source takes img src as a link; an image is no page",
};

describeWithData("on Nutch's link extraction tests", ["link-extraction.json"], () => {
  test("agrees in titles, links and texts on 24 of 29, and the misses are listed", () => {
    const rows = readJson<Row[]>("link-extraction.json");
    const missed = rows.filter(({ html_base64, baseUrl, title, links }) => {
      const scan = scanHtml(Buffer.from(html_base64, "base64").toString(), baseUrl);
      const found = scan.links
        .filter(({ nofollow }) => !nofollow)
        .map(({ url, text }: PageLink) => ({ url, text }));
      const expected = links.map(({ url, text }) => ({ url: new URL(url).href, text }));
      return (scan.title ?? "") !== title || JSON.stringify(found) !== JSON.stringify(expected);
    });
    const names = missed.map(({ source, name }) => `${source.split(" ")[1]} ${name}`);
    expect(names).toEqual(Object.keys(misses));
    expect(rows).toHaveLength(29);
  });
});
