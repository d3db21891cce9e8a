import {
  canonicalize,
  decodeBody,
  isHtml,
  robotsTag,
  scanHtml,
  unionOfFlags,
  type CanonicalUrl,
} from "@sluice/web";
import { createHash } from "node:crypto";
import type { PageContent } from "../calls.ts";

/** Our product token in robots.txt, meta robots and X-Robots-Tag. */
export const robotsToken = "sluice";

/** Repeated links count, and a table of contents has a page's address once for each of its headings. */
const linksMax = 100_000;

/** Reads a page: text, links and what it says of itself. Linear in the body; never fails. */
export function readPage(
  url: string,
  headers: Readonly<Record<string, string>>,
  body: Uint8Array,
): PageContent {
  const contentType = headers["content-type"] ?? null;
  const bodySha256 = createHash("sha256").update(body).digest("hex");
  const tag = robotsTag(headers["x-robots-tag"] ?? "", robotsToken);
  const plain = {
    contentType,
    charset: null,
    bodySha256,
    title: null,
    description: null,
    lang: null,
    canonicalUrl: null,
    extractedJson: null,
    extractionNote: null,
    noindex: tag.noindex,
    nofollow: tag.nofollow,
    links: [],
    linksTruncated: false,
  };
  if (body.length === 0 || !isHtml(contentType)) return plain;
  const { text, encoding } = decodeBody(body, contentType);
  const scan = scanHtml(text, url, { agentToken: robotsToken, linksMax });
  const flags = unionOfFlags(scan.robots, tag);
  return {
    ...plain,
    charset: encoding,
    title: scan.title,
    description: scan.description,
    lang: scan.lang,
    canonicalUrl: scan.canonical,
    noindex: flags.noindex,
    nofollow: flags.nofollow,
    links: flags.nofollow ? [] : followable(scan.links),
    linksTruncated: scan.linksTruncated,
  };
}

/** Links of a and area without rel=nofollow, canonical, each once, in the order of the page. */
function followable(
  links: readonly { readonly kind: string; readonly url: string; readonly nofollow: boolean }[],
): CanonicalUrl[] {
  const seenRaw = new Set<string>();
  const found = new Map<string, CanonicalUrl>();
  for (const link of links) {
    if (link.nofollow || (link.kind !== "a" && link.kind !== "area") || seenRaw.has(link.url)) continue;
    seenRaw.add(link.url);
    const url = canonicalize(link.url);
    if (url.kind === "url") found.set(url.urlId, url);
  }
  return [...found.values()];
}

/** Where a redirect leads: canonical, or why it can't be followed. */
export function redirectTarget(location: string, from: string): CanonicalUrl | null {
  const url = canonicalize(location, from);
  return url.kind === "url" ? url : null;
}
