import { parse, type DefaultTreeAdapterTypes } from "parse5";
import { describe, expect, test } from "vitest";
import { readHtml, readPage, scanHtml } from "../src/index.ts";
import { describeWithData, filesOf, readText } from "./shared-data.ts";

const page = "http://example.com/a/b.html";

interface Facts {
  readonly title: string | null;
  readonly lang: string | null;
  readonly base: string;
  readonly canonical: string | null;
  readonly frames: readonly string[];
  readonly noindex: boolean;
  readonly nofollow: boolean;
}

const htmlNamespace = "http://www.w3.org/1999/xhtml";

function* elementsOf(html: string): Generator<DefaultTreeAdapterTypes.Element> {
  const pending: DefaultTreeAdapterTypes.Node[] = [parse(html, { scriptingEnabled: false })];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    if ("tagName" in node) yield node;
    if ("childNodes" in node) pending.push(...node.childNodes.toReversed());
  }
}

/** What a browser's tree says of the page. */
function factsByParse5(html: string): Facts {
  let title: string | null = null;
  let lang: string | null = null;
  let base: string | null = null;
  let canonical: string | null = null;
  let robots = "";
  const frames: string[] = [];
  for (const element of elementsOf(html)) {
    const valueOf = (name: string): string | null =>
      element.attrs.find((each) => each.name === name)?.value ?? null;
    const href = valueOf("href");
    if (element.tagName === "title" && element.namespaceURI === htmlNamespace)
      title ??= element.childNodes.map((child) => ("value" in child ? child.value : "")).join("");
    if (element.tagName === "html") lang ??= valueOf("lang")?.trim() || null;
    if (element.tagName === "base") base ??= href;
    if (element.tagName === "iframe") frames.push(valueOf("src") ?? "javascript:");
    if (element.tagName === "meta" && valueOf("name")?.trim().toLowerCase() === "robots")
      robots += ` ${valueOf("content")?.toLowerCase() ?? ""}`;
    const rels = valueOf("rel")?.toLowerCase().split(/\s+/) ?? [];
    if (element.tagName === "link" && rels.includes("canonical") && href?.trim()) canonical ??= href;
  }
  const usedBase = base === null ? page : (URL.parse(base, page)?.href ?? page);
  const absolute = (reference: string): string[] => {
    const url = URL.parse(reference, usedBase);
    return url !== null && /^https?:$/.test(url.protocol) ? [url.href] : [];
  };
  return {
    title: title?.replace(/\s+/g, " ").trim().slice(0, 500) || null,
    lang,
    base: usedBase,
    canonical: canonical === null ? null : (absolute(canonical)[0] ?? null),
    frames: frames.flatMap(absolute),
    noindex: /\b(?:noindex|none)\b/.test(robots),
    nofollow: /\b(?:nofollow|none)\b/.test(robots),
  };
}

describeWithData("on real pages", ["pages"], () => {
  test("title, lang, base, canonical, frames and robots are those of a browser's tree, with no exception", () => {
    let titles = 0;
    for (const file of filesOf("pages")) {
      const html = readText(file);
      const { title, lang, base, canonical, links, robots } = scanHtml(html, page, { linksMax: Infinity });
      const frames = links.filter(({ kind }) => kind === "iframe").map(({ url }) => new URL(url).href);
      const { noindex, nofollow } = robots;
      const facts: Facts = { title, lang, base, canonical, frames, noindex, nofollow };
      expect({ file, ...facts }).toEqual({ file, ...factsByParse5(html) });
      if (title !== null) titles += 1;
    }
    expect(titles).toBeGreaterThan(100);
  });
});

describe("readPage", () => {
  const body = Buffer.from(
    '<title>T</title><a href="/b#1">1</a><a href="/b">2</a><a rel=nofollow href=/c>3</a>',
  );

  test("gives each link once, canonical, and what the header says of robots", () => {
    const facts = readPage(page, { "content-type": "text/html", "x-robots-tag": "noindex" }, body);
    expect(facts).toMatchObject({ title: "T", noindex: true, nofollow: false });
    expect(facts.links.map(({ url }) => url)).toEqual(["http://example.com/b"]);
  });

  test("gives no links where the page or its header says nofollow, nor of what is no HTML", () => {
    for (const headers of [
      { "content-type": "text/html", "x-robots-tag": "none" },
      { "content-type": "text/plain" },
      {},
    ])
      expect(readPage(page, headers, body).links).toEqual([]);
    expect(readHtml(page, "text/html", new Uint8Array())).toBeNull();
    expect(readPage(page, {}, body).bodySha256).toHaveLength(64);
  });
});
