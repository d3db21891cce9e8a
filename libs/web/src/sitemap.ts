/** Sitemaps (sitemaps.org protocol 0.9), feeds that serve as one (RSS, Atom), and lists of URLs as text. */
import { feedDateMs } from "./feed-date.ts";
import { isWeb } from "./page-links.ts";
import { XmlReader, type XmlHandler } from "./xml-reader.ts";
import { rawUrlCharsMax } from "./url.ts";

/** The protocol's own limits of one file: URLs, and octets when it is not compressed. */
export const sitemapUrlsMax = 50_000;
export const sitemapBytesMax = 50 * 1024 * 1024;

/** A sitemap may be listed by an index that is listed by an index; what is deeper is not read. */
export const sitemapIndexDepthMax = 3;

export type SitemapKind = "urlset" | "index" | "rss" | "atom" | "text" | "unknown";

export interface SitemapEntry {
  /** Absolute http or https URL, not yet canonical. */
  readonly url: string;
  /** When the page changed, as the site says it; milliseconds since 1970, null where it does not say. */
  readonly lastModifiedMs: number | null;
  /** 0 to 1, among the site's own pages; null where it is not given. */
  readonly priority: number | null;
}

export interface Sitemap {
  readonly kind: SitemapKind;
  /** Pages, in the order of the file, each once. */
  readonly urls: readonly SitemapEntry[];
  /** Other sitemaps that an index lists, each once. */
  readonly sitemaps: readonly SitemapEntry[];
  /** Entries that are no http or https URL, or have none. */
  readonly refusedCount: number;
  /** Why the rest of the file was not read; null where all of it was. */
  readonly truncated: string | null;
}

const rootKinds: Readonly<Record<string, SitemapKind>> = {
  urlset: "urlset",
  sitemapindex: "index",
  rss: "rss",
  rdf: "rss",
  feed: "atom",
};

/** Elements that are one entry each, by the kind of the file. */
const entryNames: Readonly<Record<SitemapKind, string>> = {
  urlset: "url",
  index: "sitemap",
  rss: "item",
  atom: "entry",
  text: "",
  unknown: "",
};

/** What a field of an entry means; fields of other names, and of elements within an entry, mean nothing here. */
const fields: Readonly<Record<string, "url" | "modified" | "priority">> = {
  loc: "url",
  link: "url",
  lastmod: "modified",
  pubdate: "modified",
  date: "modified",
  updated: "modified",
  priority: "priority",
};

const depthMax = 64;
const fieldCharsMax = rawUrlCharsMax;

interface OpenEntry {
  url: string;
  modified: string;
  priority: string;
}

/**
 * Reads a sitemap that comes in pieces, and tells when it has read enough. Never fails: what is no sitemap has no
 * entries. Memory is one tag and what was found.
 */
export class SitemapParser implements XmlHandler {
  readonly #base: URL | null;
  readonly #xml = new XmlReader(this);
  readonly #urls = new Map<string, SitemapEntry>();
  readonly #sitemaps = new Map<string, SitemapEntry>();
  #kind: SitemapKind | null = null;
  #refused = 0;
  #truncated: string | null = null;
  #line = "";
  /** Names of the elements that are open, from the root; deeper ones are only counted. */
  readonly #open: string[] = [];
  #deeper = 0;
  #entry: OpenEntry | null = null;
  #field: "url" | "modified" | "priority" | null = null;

  /** @param url where the file came from: relative references, which feeds may have, are resolved against it */
  constructor(url: string) {
    this.#base = URL.parse(url);
  }

  /** False when nothing that follows will be kept. */
  get wantsMore(): boolean {
    return this.#truncated === null;
  }

  write(piece: string): void {
    if (!this.wantsMore || piece === "") return;
    if (this.#kind === null && !this.#begins(piece)) return;
    if (this.#kind === "text") return this.#lines(piece);
    this.#xml.write(piece);
    if (!this.#xml.isReadable) this.truncate("a tag does not end");
  }

  /** Says that the rest is left out, and why; the first reason counts. */
  truncate(why: string): void {
    this.#truncated ??= why;
  }

  end(): Sitemap {
    if (this.#kind === "text") this.#lines("\n");
    else if (this.wantsMore) this.#xml.end();
    return {
      kind: this.#kind ?? "unknown",
      urls: [...this.#urls.values()],
      sitemaps: [...this.#sitemaps.values()],
      refusedCount: this.#refused,
      truncated: this.#truncated,
    };
  }

  /** The first character tells text from XML. */
  #begins(piece: string): boolean {
    const first = /\S/.exec(piece.replace(/^\ufeff/, ""))?.[0];
    if (first === undefined) return false;
    if (first !== "<") this.#kind = "text";
    else this.#kind = "unknown";
    return true;
  }

  #lines(piece: string): void {
    const lines = (this.#line + piece).split(/\r\n|[\r\n]/);
    this.#line = (lines.pop() ?? "").slice(0, fieldCharsMax + 1);
    for (const line of lines) {
      const text = line.replace(/^\ufeff/, "").trim();
      if (text !== "" && this.wantsMore) this.#keep(this.#urls, { url: text, modified: "", priority: "" });
    }
  }

  open(name: string, attributes: () => ReadonlyMap<string, string>): void {
    if (this.#open.length >= depthMax) {
      this.#deeper += 1;
      return;
    }
    this.#open.push(name);
    const kind = this.#kind ?? "unknown";
    if (this.#open.length === 1) this.#kind = rootKinds[name] ?? "unknown";
    else if (this.#entry === null && name === entryNames[kind]) {
      this.#entry = { url: "", modified: "", priority: "" };
    } else if (this.#entry !== null && this.#open.at(-2) === entryNames[kind]) {
      this.#field = Object.hasOwn(fields, name) ? (fields[name] ?? null) : null;
      if (kind === "atom" && name === "link") this.#atomLink(attributes());
      // The first of several counts.
      if (this.#field !== null && this.#entry[this.#field] !== "") this.#field = null;
    }
  }

  #atomLink(attributes: ReadonlyMap<string, string>): void {
    this.#field = null;
    const rel = attributes.get("rel") ?? "alternate";
    if (this.#entry !== null && this.#entry.url === "" && rel === "alternate")
      this.#entry.url = attributes.get("href") ?? "";
  }

  text(text: string): void {
    if (this.#field === null || this.#entry === null || this.#deeper > 0) return;
    const before = this.#entry[this.#field];
    if (before.length <= fieldCharsMax) this.#entry[this.#field] = before + text.slice(0, fieldCharsMax + 1);
  }

  close(name: string): void {
    if (this.#deeper > 0) {
      this.#deeper -= 1;
      return;
    }
    // An end tag without its start tag ends nothing.
    const at = this.#open.lastIndexOf(name);
    if (at < 0) return;
    this.#open.length = at;
    this.#field = null;
    if (this.#entry === null || name !== entryNames[this.#kind ?? "unknown"]) return;
    const entry = this.#entry;
    this.#entry = null;
    if (this.wantsMore) this.#keep(this.#kind === "index" ? this.#sitemaps : this.#urls, entry);
  }

  #keep(into: Map<string, SitemapEntry>, { url: raw, modified, priority }: OpenEntry): void {
    const text = raw.trim();
    const url = text === "" || text.length > rawUrlCharsMax ? null : this.#absolute(text);
    if (url === null) {
      this.#refused += 1;
      return;
    }
    if (into.has(url)) return;
    if (into.size >= sitemapUrlsMax) return this.truncate(`entries beyond ${sitemapUrlsMax} are not read`);
    into.set(url, {
      url,
      lastModifiedMs: feedDateMs(modified.trim()),
      priority: priorityOf(priority.trim()),
    });
  }

  #absolute(text: string): string | null {
    const isFeed = this.#kind === "rss" || this.#kind === "atom";
    const url = URL.parse(text, isFeed ? this.#base?.href : undefined);
    return url !== null && isWeb(url) ? url.href : null;
  }
}

function priorityOf(text: string): number | null {
  const value = /^\d{0,3}(?:\.\d{1,9})?$/.test(text) && text !== "" ? Number(text) : Number.NaN;
  return value >= 0 && value <= 1 ? value : null;
}
