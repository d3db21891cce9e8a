/** What a page, a URL, a robots.txt or a sitemap is read as: the answers that need no network. */
import { unpacked } from "@sluice/http";
import {
  canonicalize,
  decodeBody,
  noRobotsFlags,
  parseRobots,
  readHtml,
  readSitemap,
  registrableDomain,
  robotsToken,
  suspicionOf,
  trapOf,
  type SitemapEntry,
} from "@sluice/web";
import { QuestionError, type Question } from "./question.ts";

export type Answer = Readonly<Record<string, unknown>>;

/** `agent` is ours where none is given; `url` may be a path alone. */
export function answerRobots(question: Question): Answer {
  const body = question.has("robots_base64") ? question.octets("robots") : octetsOf(question.text("robots"));
  const robots = parseRobots(body);
  const agent = question.optionalText("agent") ?? robotsToken;
  const given = question.text("url");
  const path = given === "" || given.startsWith("/") ? given : question.url("url").path;
  return { ...robots.decide(agent, path), crawl_delay_ms: robots.crawlDelayMs(agent) };
}

/** The surrogates U+DC80 to U+DCFF alone stand for octets that are no UTF-8, as Python writes them (PEP 383). */
function octetsOf(text: string): Uint8Array {
  if (text.isWellFormed()) return Buffer.from(text);
  const pieces = [...text].map((char) => {
    const point = char.codePointAt(0) ?? 0;
    return point >= 0xdc80 && point <= 0xdcff ? Buffer.from([point - 0xdc00]) : Buffer.from(char);
  });
  return Buffer.concat(pieces);
}

/** Options of canonical URLs are those of the product: `sort_query` and the `drop_*`, and a `base` for what is relative. */
export function answerCanonical(question: Question): Answer {
  const url = canonicalize(question.text("url"), question.optionalText("base") ?? undefined, {
    sortQuery: question.flag("sort_query"),
    dropParams: question.texts("drop_params"),
    dropTracking: question.flag("drop_tracking"),
    dropSessionIds: question.flag("drop_session_ids"),
  });
  if (url.kind === "refused") {
    const nothing = { canonical: null, url_id: null, host: null, registrable_domain: null };
    return { ...nothing, reason: url.reason, detail: url.detail };
  }
  return {
    canonical: url.url,
    url_id: url.urlId,
    host: url.host,
    registrable_domain: registrableDomain(url.domain),
    trap: trapOf(url)?.detail ?? null,
    suspicion: suspicionOf(url.url),
  };
}

export function answerLinks(question: Question): Answer {
  const base = question.text("url");
  if (URL.parse(base) === null) throw new QuestionError("url", "url is no absolute URL");
  const contentType = question.optionalText("content_type") ?? "text/html";
  const page = readHtml(base, contentType, question.octets("html"));
  if (page === null) {
    const texts = { title: null, description: null, lang: null, canonical: null };
    const rest = { base, robots: noRobotsFlags, encoding: null, links_truncated: false };
    return { links: [], ...texts, ...rest, note: `nothing is read of an empty body or of ${contentType}` };
  }
  const { scan, encoding } = page;
  return {
    links: scan.links.map(({ url, text, nofollow, kind, rel }) => ({ url, text, nofollow, kind, rel })),
    title: scan.title,
    description: scan.description,
    lang: scan.lang,
    canonical: scan.canonical,
    base: scan.base,
    robots: scan.robots,
    encoding,
    links_truncated: scan.linksTruncated,
  };
}

export function answerEncoding(question: Question): Answer {
  return { encoding: decodeBody(question.octets("html"), question.optionalText("content_type")).encoding };
}

export async function answerSitemap(question: Question): Promise<Answer> {
  const url = question.text("url");
  const sitemap = await readSitemap(
    unpacked(question.octets("body")),
    url,
    question.optionalText("content_type"),
  );
  const urlOf = (entry: SitemapEntry): string => entry.url;
  const hints = [...sitemap.urls, ...sitemap.sitemaps].filter(
    ({ lastModifiedMs, priority }) => lastModifiedMs !== null || priority !== null,
  );
  return {
    kind: sitemap.kind,
    urls: sitemap.urls.map(urlOf),
    sitemaps: sitemap.sitemaps.map(urlOf),
    hints: hints.map(({ url, lastModifiedMs, priority }) => ({
      url,
      last_modified: lastModifiedMs === null ? null : new Date(lastModifiedMs).toISOString(),
      priority,
    })),
    refused: sitemap.refusedCount,
    truncated: sitemap.truncated,
  };
}
