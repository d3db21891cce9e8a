/** What a crawler wants of a page, read in one pass and without a tree. */
import { Tokenizer } from "htmlparser2";
import type { PageLink } from "./page-links.ts";
import { PageScanner } from "./page-scanner.ts";
import type { RobotsFlags } from "./robots-tag.ts";

export interface PageScan {
  /** The first title's text, blanks collapsed, at most 500 characters; null where there is none. */
  readonly title: string | null;
  /** The first meta description, blanks collapsed, at most 1,000 characters. */
  readonly description: string | null;
  /** The html element's lang. */
  readonly lang: string | null;
  /** The first link rel=canonical, absolute. */
  readonly canonical: string | null;
  /** What relative references are resolved against: the first base href, else the page's own URL. */
  readonly base: string;
  /** Meta robots, for everyone and for our token, together. */
  readonly robots: RobotsFlags;
  /** Where the first meta refresh leads, absolute. */
  readonly metaRefreshUrl: string | null;
  /** In the order of the page, repeated ones included; http and https only. */
  readonly links: readonly PageLink[];
  /** The page has more links than `linksMax`. */
  readonly linksTruncated: boolean;
}

export interface ScanOptions {
  /** Links kept at most, default 10,000; what follows is dropped and `linksTruncated` is set. */
  readonly linksMax?: number;
  /** Name whose `<meta name=…>` counts as robots directives, default `sluice`. */
  readonly agentToken?: string;
}

/**
 * Scans a page. Never fails, and its memory and time are linear in the page, however it is nested. Scripts are not
 * run, so the markup in noscript counts; what is in template does not.
 * @param baseUrl the page's own URL, absolute
 */
export function scanHtml(html: string, baseUrl: string, options: ScanOptions = {}): PageScan {
  const scanner = new PageScanner(
    html,
    options.linksMax ?? 10_000,
    (options.agentToken ?? "sluice").toLowerCase(),
  );
  const tokenizer = new Tokenizer({ decodeEntities: false }, scanner.callbacks);
  tokenizer.write(html);
  tokenizer.end();
  return scanner.result(baseUrl);
}
