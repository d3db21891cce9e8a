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
  return scanPieces([html], baseUrl, options);
}

/** The same of a page that comes in pieces: no more of its text is kept than two of them. */
export function scanPieces(
  pieces: Iterable<string>,
  baseUrl: string,
  { linksMax = 10_000, agentToken = "sluice" }: ScanOptions = {},
): PageScan {
  const scanner = new PageScanner(linksMax, agentToken.toLowerCase());
  const tokenizer = new Tokenizer({ decodeEntities: false }, scanner.callbacks);
  const write = (text: string): void => {
    scanner.comes(text);
    tokenizer.write(text);
  };
  let rest = "";
  for (const piece of pieces) {
    const text = rest === "" ? piece : rest + piece;
    const end = wholeLength(text);
    write(text.slice(0, end));
    rest = text.slice(end);
  }
  if (rest !== "") write(rest);
  tokenizer.end();
  return scanner.result(baseUrl);
}

/** How much of a text can be read without what follows it: no character reference goes on after a tag or a blank. */
function wholeLength(text: string): number {
  return Math.max(text.lastIndexOf(">"), text.lastIndexOf(" ")) + 1 || text.length;
}
