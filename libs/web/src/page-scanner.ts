/** Takes a page's tags as the tokenizer finds them, and keeps what a crawler wants of them. */
import type { TokenizerCallbacks } from "htmlparser2";
import { decodeAttribute, decodeText, ignoreAll } from "./entities.ts";
import { ForeignContent } from "./foreign-content.ts";
import type { PageScan } from "./html.ts";
import { isWeb, linkResolver, type LinkKind, type PageLink } from "./page-links.ts";
import { appended, collapsed, refreshTarget, ScriptText, textSourceCharsMax } from "./page-text.ts";
import { noRobotsFlags, robotsMeta, unionOfFlags } from "./robots-tag.ts";

const titleCharsMax = 500;
const descriptionCharsMax = 1000;
const anchorCharsMax = 500;
/** A longer attribute is taken as absent; no URL or description that we keep needs more. */
const attributeCharsMax = 65_536;

/** Elements whose attributes are read. */
const readElements: ReadonlySet<string> = new Set([
  "a",
  "area",
  "base",
  "frame",
  "html",
  "iframe",
  "img",
  "link",
  "meta",
]);

/** Of these, the ones that give nothing but a link. */
const linkElements: ReadonlySet<string> = new Set(["a", "area", "frame", "iframe"]);

const readAttributes: ReadonlySet<string> = new Set([
  "alt",
  "content",
  "href",
  "http-equiv",
  "lang",
  "name",
  "rel",
  "src",
  "xlink:href",
]);

/** Elements whose content is text that no one reads on the page. */
const hiddenText: ReadonlySet<string> = new Set([
  "iframe",
  "noembed",
  "noframes",
  "script",
  "style",
  "textarea",
  "title",
  "xmp",
]);

/** Link types that lead to another page, as against those that load a resource. */
const pageRels: ReadonlySet<string> = new Set(
  "alternate amphtml author bookmark canonical contents first help index last license next prev previous start toc up".split(
    " ",
  ),
);

/** Characters of all references of a page: those that are followed at all have 2,083 at most, most have fifty. */
const linkCharsMax = 2_097_152;

/** A link as it is read; its URL is the reference until the page's base is known. */
type RawLink = { -readonly [Key in keyof PageLink]: PageLink[Key] };

/** What the tokenizer speaks of, by its positions in the whole page: the piece that it reads, and the one before. */
class TextWindow {
  #before = "";
  #piece = "";
  /** Where the piece begins in the page. */
  #from = 0;

  comes(piece: string): void {
    this.#from += this.#piece.length;
    this.#before = this.#piece;
    this.#piece = piece;
  }

  /** Empty where it begins further back: no name or text that is read is as long as a piece. */
  slice(start: number, end: number): string {
    const from = start - this.#from;
    if (from >= 0) return this.#piece.slice(from, end - this.#from);
    const back = this.#before.length + from;
    if (back < 0) return "";
    if (end <= this.#from) return this.#before.slice(back, back + end - start);
    return this.#before.slice(back) + this.#piece.slice(0, end - this.#from);
  }
}

export class PageScanner {
  readonly callbacks: TokenizerCallbacks;
  readonly #window = new TextWindow();
  readonly #linksMax: number;
  readonly #agentToken: string;
  readonly #foreign = new ForeignContent();
  readonly #links: RawLink[] = [];
  #linksTruncated = false;
  #linkChars = 0;
  #templateDepth = 0;

  /** The start tag being read, where it is one whose attributes are read. */
  #element: string | null = null;
  #openedContext = false;
  readonly #attributes = new Map<string, string>();
  #attribute: string | null = null;
  #value = "";

  /** The element whose hidden text is being read. */
  #hidden: string | null = null;
  readonly #script = new ScriptText();
  /** The script being read has had the end tag that does not end it: see `ScriptText`. */
  #isScriptReopened = false;
  #anchor: RawLink | null = null;
  #isInTitle = false;
  #title: string | null = null;
  #description: string | null = null;
  #lang: string | null = null;
  #canonical: string | null = null;
  #base: string | null = null;
  #refresh: string | null = null;
  #robots = noRobotsFlags;

  constructor(linksMax: number, agentToken: string) {
    this.#linksMax = linksMax;
    this.#agentToken = agentToken;
    this.callbacks = {
      ...ignoreAll,
      isInForeignContext: () => this.#foreign.isForeign,
      onopentagname: (start, end) => this.#startTag(this.#window.slice(start, end).toLowerCase()),
      onattribname: (start, end) => this.#attributeName(start, end),
      onattribdata: (start, end) => this.#attributeData(start, end),
      onattribend: () => this.#attributeEnd(),
      onopentagend: () => this.#startTagEnd(),
      onselfclosingtag: () => {
        this.#startTagEnd();
        if (this.#openedContext) this.#foreign.selfClosed();
      },
      onclosetag: (start, end) => this.#endTag(this.#window.slice(start, end).toLowerCase()),
      ontext: (start, end) => this.#text(start, end),
      oncdata: (start, end, endOffset) => this.#text(start, end - endOffset),
    };
  }

  /** The tokenizer will speak of this piece of the page next, and of no more than the one before it. */
  comes(piece: string): void {
    this.#window.comes(piece);
  }

  result(pageUrl: string): PageScan {
    const page = URL.parse(pageUrl);
    const base = this.#base === null ? null : URL.parse(this.#base, page?.href);
    const usedBase = base !== null && isWeb(base) ? base : page;
    const resolve = linkResolver(usedBase);
    // In place, and with nothing beside it: there may be many.
    let kept = 0;
    for (const link of this.#links) {
      const url = resolve(link.url);
      if (url === null) continue;
      link.url = url;
      link.nofollow = link.rel !== null && ` ${link.rel} `.includes(" nofollow ");
      link.text = collapsed(link.text, anchorCharsMax);
      this.#links[kept] = link;
      kept += 1;
    }
    this.#links.length = kept;
    return {
      title: this.#title === null ? null : collapsed(decodeText(this.#title), titleCharsMax) || null,
      description: this.#description,
      lang: this.#lang,
      canonical: this.#canonical === null ? null : resolve(this.#canonical),
      base: usedBase?.href ?? pageUrl,
      robots: this.#robots,
      metaRefreshUrl: this.#refresh === null ? null : resolve(this.#refresh),
      links: this.#links,
      linksTruncated: this.#linksTruncated,
    };
  }

  #startTag(name: string): void {
    if (this.#hidden !== null) return;
    this.#openedContext = this.#foreign.opened(name);
    if (!this.#foreign.isForeign || this.#openedContext) this.#htmlStartTag(name);
    this.#element = this.#templateDepth === 0 && readElements.has(name) ? name : null;
    if (this.#linksTruncated && linkElements.has(name)) {
      this.#element = null;
      this.#anchor = null;
    }
    if (this.#element !== null && this.#attributes.size > 0) this.#attributes.clear();
  }

  #htmlStartTag(name: string): void {
    if (name === "template") this.#templateDepth++;
    if (!hiddenText.has(name) || this.#openedContext) return;
    this.#hidden = name;
    if (name === "script") this.#script.begins();
    if (name === "title" && this.#title === null && this.#templateDepth === 0) {
      this.#isInTitle = true;
      this.#title = "";
    }
  }

  #endTag(name: string): void {
    if (this.#hidden !== null) {
      if (name !== this.#hidden) return;
      if (name === "script" && !this.#isScriptReopened) {
        this.#isScriptReopened = this.#script.isScriptInComment;
        if (this.#isScriptReopened) return;
      }
      this.#isScriptReopened = false;
      this.#hidden = null;
      this.#isInTitle = false;
    }
    this.#foreign.closed(name);
    if (name === "template" && this.#templateDepth > 0) this.#templateDepth--;
    if (name === "a") this.#anchor = null;
  }

  #text(start: number, end: number): void {
    if (this.#isInTitle) {
      this.#title = appended(this.#title ?? "", this.#window.slice(start, end));
    } else if (this.#hidden === "script") {
      if (!this.#isScriptReopened) this.#script.comes(this.#window.slice(start, end));
    } else if (this.#anchor !== null && this.#hidden === null && this.#templateDepth === 0) {
      if (this.#anchor.text.length < textSourceCharsMax) {
        const source = this.#window.slice(start, Math.min(end, start + textSourceCharsMax));
        this.#anchor.text = appended(this.#anchor.text, decodeText(source));
      }
    }
  }

  #attributeName(start: number, end: number): void {
    if (this.#element === null) return;
    const name = this.#window.slice(start, end).toLowerCase();
    // Of an attribute that is there twice, the first counts (HTML §13.2.5.33).
    this.#attribute = readAttributes.has(name) && !this.#attributes.has(name) ? name : null;
    this.#value = "";
  }

  #attributeData(start: number, end: number): void {
    if (this.#element === null || this.#attribute === null) return;
    if (this.#value.length <= attributeCharsMax) this.#value += this.#window.slice(start, end);
  }

  #attributeEnd(): void {
    if (this.#element === null || this.#attribute === null) return;
    this.#attributes.set(this.#attribute, this.#value);
    this.#attribute = null;
  }

  /** The attribute's value; null where there is none or it is too long to be meant. */
  #attributeValue(name: string): string | null {
    const value = this.#attributes.get(name);
    return value === undefined || value.length > attributeCharsMax ? null : decodeAttribute(value);
  }

  #startTagEnd(): void {
    switch (this.#element) {
      case null:
        return;
      case "a":
        this.#anchor = null;
        this.#anchor = this.#link("a", this.#attributeValue("href") ?? this.#attributeValue("xlink:href"));
        break;
      case "area":
        this.#link("area", this.#attributeValue("href"));
        break;
      case "base":
        this.#base ??= this.#attributeValue("href");
        break;
      case "frame":
      case "iframe":
        this.#link(this.#element, this.#attributeValue("src"));
        break;
      case "html":
        this.#lang ??= this.#attributeValue("lang")?.trim() || null;
        break;
      case "img":
        if (this.#anchor !== null && this.#anchor.text.length < textSourceCharsMax) {
          const alt = this.#attributeValue("alt");
          if (alt !== null) this.#anchor.text = appended(this.#anchor.text, ` ${alt} `);
        }
        break;
      case "link":
        this.#linkElement();
        break;
      case "meta":
        this.#metaElement();
        break;
      default:
        break;
    }
    this.#element = null;
  }

  #linkElement(): void {
    const rels = this.#rel()?.split(" ") ?? [];
    const href = this.#attributeValue("href");
    if (href === null || href.trim() === "" || rels.includes("stylesheet")) return;
    if (rels.includes("canonical")) this.#canonical ??= href;
    if (rels.some((rel) => pageRels.has(rel))) this.#link("link", href);
  }

  #metaElement(): void {
    const content = this.#attributeValue("content");
    if (content === null) return;
    const name = this.#attributeValue("name")?.trim().toLowerCase();
    if (name === "robots" || name === this.#agentToken) {
      this.#robots = unionOfFlags(this.#robots, robotsMeta(content));
    } else if (name === "description") {
      this.#description ??= collapsed(content, descriptionCharsMax) || null;
    }
    if (this.#attributeValue("http-equiv")?.trim().toLowerCase() !== "refresh" || this.#refresh !== null)
      return;
    this.#refresh = refreshTarget(content);
    this.#link("meta_refresh", this.#refresh);
  }

  #rel(): string | null {
    const rel = this.#attributeValue("rel");
    return rel === null ? null : collapsed(rel, 200).toLowerCase();
  }

  #link(kind: LinkKind, href: string | null): RawLink | null {
    if (href === null) return null;
    this.#linkChars += href.length;
    if (this.#links.length >= this.#linksMax || this.#linkChars > linkCharsMax) {
      this.#linksTruncated = true;
      return null;
    }
    const link: RawLink = { kind, url: ownCopy(href), text: "", nofollow: false, rel: this.#rel() };
    this.#links.push(link);
    return link;
  }
}

/** V8 cuts a string out of another one by pointing into it: what is kept of a page would keep all of its text. */
function ownCopy(text: string): string {
  if (text.length < sliceCharsMin) return text;
  const copy = ` ${text}`;
  // Whoever looks into two strings that were joined makes them one.
  copy.charCodeAt(0);
  return copy.slice(1);
}

/** Shorter ones are copied. */
const sliceCharsMin = 13;
