/** Everything that is read off a page's response: from bytes and header fields to what results and links need. */
import { createHash } from "node:crypto";
import { decodedPieces, encodingOf } from "./charset.ts";
import { isHtml } from "./content-type.ts";
import { scanPieces, type PageScan } from "./html.ts";
import type { PageLink } from "./page-links.ts";
import { robotsTag, unionOfFlags } from "./robots-tag.ts";
import { canonicalize, type CanonicalUrl } from "./url.ts";

/** Our product token in robots.txt, meta robots and X-Robots-Tag. */
export const robotsToken = "sluice";

/**
 * Repeated links count, and a table of contents has a page's address once for each of its headings. Each costs half a
 * kilobyte while a page is read: so many of them as much as a body of the default limit.
 */
const linksMax = 20_000;

/** What was read off a page; only what results and links need, so that no body stays in memory. */
export interface PageFacts {
  readonly contentType: string | null;
  readonly charset: string | null;
  readonly bodySha256: string | null;
  readonly title: string | null;
  readonly description: string | null;
  readonly lang: string | null;
  readonly canonicalUrl: string | null;
  readonly noindex: boolean;
  readonly nofollow: boolean;
  readonly noarchive: boolean;
  /** Distinct links that may be followed. */
  readonly links: readonly CanonicalUrl[];
  /** The page has more links than are read off one page. */
  readonly linksTruncated: boolean;
}

export interface HtmlPage {
  readonly encoding: string;
  readonly scan: PageScan;
}

/** A page's bytes scanned; null where the response is no HTML or has no body. */
export function readHtml(url: string, contentType: string | null, body: Uint8Array): HtmlPage | null {
  if (body.length === 0 || !isHtml(contentType)) return null;
  const encoding = encodingOf(body, contentType);
  const pieces = decodedPieces(body, encoding);
  return { encoding, scan: scanPieces(pieces, url, { agentToken: robotsToken, linksMax }) };
}

/**
 * Reads a page: text, links and what it says of itself. Linear in the body; never fails.
 * @param headers names in lower case
 */
export function readPage(
  url: string,
  headers: Readonly<Record<string, string>>,
  body: Uint8Array,
): PageFacts {
  const contentType = headers["content-type"] ?? null;
  const tag = robotsTag(headers["x-robots-tag"] ?? "", robotsToken);
  const page = readHtml(url, contentType, body);
  const flags = page === null ? tag : unionOfFlags(page.scan.robots, tag);
  return {
    contentType,
    charset: page?.encoding ?? null,
    bodySha256: createHash("sha256").update(body).digest("hex"),
    title: page?.scan.title ?? null,
    description: page?.scan.description ?? null,
    lang: page?.scan.lang ?? null,
    canonicalUrl: page?.scan.canonical ?? null,
    noindex: flags.noindex,
    nofollow: flags.nofollow,
    noarchive: flags.noarchive,
    links: page === null || flags.nofollow ? [] : followable(page.scan.links),
    linksTruncated: page?.scan.linksTruncated ?? false,
  };
}

/** Spares work, no more: links that repeat do so soon. */
const seenMax = 4_096;

/** Links of a and area without rel=nofollow, canonical, each once, in the order of the page. */
function followable(links: readonly PageLink[]): CanonicalUrl[] {
  const seenRaw = new Set<string>();
  const found = new Map<string, CanonicalUrl>();
  for (const link of links) {
    if (link.nofollow || (link.kind !== "a" && link.kind !== "area") || seenRaw.has(link.url)) continue;
    if (seenRaw.size < seenMax) seenRaw.add(link.url);
    const url = canonicalize(link.url);
    if (url.kind === "url") found.set(url.urlId, url);
  }
  return [...found.values()];
}
