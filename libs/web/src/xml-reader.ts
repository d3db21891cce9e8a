/** XML as a stream of tags and texts: what feeds and sitemaps need of it, and nothing that a document could abuse. */

export interface XmlHandler {
  /**
   * A start tag. Names are local (without prefix), in lower case; `attributes` reads the tag's attributes when it is
   * called, which most tags are not worth.
   */
  open(name: string, attributes: () => ReadonlyMap<string, string>): void;
  /** An end tag, or the end of a tag that closes itself. */
  close(name: string): void;
  /** A piece of text with its references decoded, or of a CDATA section; one text may come in many pieces. */
  text(text: string): void;
}

/** A longer tag is no tag of a sitemap; characters. */
const tagCharsMax = 65_536;

type Inside = "content" | "comment" | "instruction" | "cdata" | "doctype";

/**
 * Reads XML that comes in pieces. Nothing is ever expanded or fetched: a document's own entities stay as they are
 * written, and what stands in its DOCTYPE is skipped. Well-formedness is not checked; time is linear and memory is
 * one tag.
 */
export class XmlReader {
  readonly #handler: XmlHandler;
  #rest = "";
  #inside: Inside = "content";
  /** In a DOCTYPE: how deep in brackets, and the quote that is open. */
  #brackets = 0;
  #quote = "";
  #isBroken = false;

  constructor(handler: XmlHandler) {
    this.#handler = handler;
  }

  /** False from where a tag without an end was met: nothing behind it can be read. */
  get isReadable(): boolean {
    return !this.#isBroken;
  }

  write(piece: string): void {
    if (this.#isBroken) return;
    const text = this.#rest + piece;
    let at = 0;
    while (at < text.length) {
      const next = this.#step(text, at);
      if (next < 0) break;
      at = next;
    }
    this.#rest = text.slice(at);
    if (this.#rest.length > tagCharsMax) {
      this.#isBroken = true;
      this.#rest = "";
    }
  }

  end(): void {
    // Without a tag that follows, the last text was waiting for the rest of a reference.
    if (this.#inside === "content" && !this.#rest.startsWith("<")) this.#say(this.#rest);
    this.#rest = "";
  }

  /** Where to go on after what begins at `at`; negative where its end has not come yet. */
  #step(text: string, at: number): number {
    switch (this.#inside) {
      case "content":
        return text.charCodeAt(at) === lessThan ? this.#markup(text, at) : this.#content(text, at);
      case "comment":
        return this.#skipTo("-->", text, at);
      case "instruction":
        return this.#skipTo("?>", text, at);
      case "cdata":
        return this.#cdata(text, at);
      case "doctype":
        return this.#doctype(text, at);
      default:
        return this.#inside satisfies never;
    }
  }

  #content(text: string, at: number): number {
    const end = text.indexOf("<", at);
    if (end >= 0) {
      this.#say(text.slice(at, end));
      return end;
    }
    // A reference may go on in the next piece.
    const ampersand = text.lastIndexOf("&");
    const isCut = ampersand >= at && text.length - ampersand < referenceCharsMax;
    const to = isCut && !text.includes(";", ampersand) ? ampersand : text.length;
    this.#say(text.slice(at, to));
    return to === at ? -1 : to;
  }

  #say(text: string): void {
    if (text !== "") this.#handler.text(decodeReferences(text));
  }

  #markup(text: string, at: number): number {
    const marks = "<![CDATA[";
    if (text.startsWith("<!--", at)) return this.#enter("comment", at + 4);
    if (text.startsWith(marks, at)) return this.#enter("cdata", at + marks.length);
    if (text.startsWith("<?", at)) return this.#enter("instruction", at + 2);
    const left = text.slice(at, at + marks.length);
    if (left.length < marks.length && (marks.startsWith(left) || "<!--".startsWith(left))) return -1;
    if (text.startsWith("<!", at)) return this.#enter("doctype", at + 2);
    const end = tagEnd(text, at + 1);
    if (end < 0) return -1;
    this.#tag(text.slice(at + 1, end));
    return end + 1;
  }

  #enter(inside: Inside, next: number): number {
    this.#inside = inside;
    return next;
  }

  #tag(tag: string): void {
    if (tag.startsWith("/")) return this.#handler.close(localName(tag.slice(1).trim()));
    const name = /^[^\s/]+/.exec(tag)?.[0];
    if (name === undefined) return;
    const local = localName(name);
    this.#handler.open(local, () => attributesOf(tag.slice(name.length)));
    if (tag.endsWith("/")) this.#handler.close(local);
  }

  #skipTo(mark: string, text: string, at: number): number {
    const end = text.indexOf(mark, at);
    if (end >= 0) return this.#enter("content", end + mark.length);
    // Only as much is kept as may be the beginning of the mark.
    const keptFrom = Math.max(at, text.length - mark.length + 1);
    return keptFrom === at ? -1 : keptFrom;
  }

  #cdata(text: string, at: number): number {
    const end = text.indexOf("]]>", at);
    const to = end >= 0 ? end : Math.max(at, text.length - 2);
    if (to > at) this.#handler.text(text.slice(at, to));
    if (end >= 0) return this.#enter("content", end + 3);
    return to === at ? -1 : to;
  }

  #doctype(text: string, at: number): number {
    for (let i = at; i < text.length; i++) {
      const char = text[i] ?? "";
      if (this.#quote !== "") {
        if (char === this.#quote) this.#quote = "";
      } else if (char === '"' || char === "'") this.#quote = char;
      else if (char === "[") this.#brackets += 1;
      else if (char === "]") this.#brackets = Math.max(0, this.#brackets - 1);
      else if (char === ">" && this.#brackets === 0) return this.#enter("content", i + 1);
    }
    return text.length;
  }
}

const lessThan = 0x3c;

/** The "&#x10FFFF;" of XML and its five names are shorter. */
const referenceCharsMax = 12;

/** Where a tag ends: at the first ">" that is in no quotes; negative where it does not. */
function tagEnd(text: string, from: number): number {
  let quote = 0;
  for (let i = from; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (quote !== 0) {
      if (code === quote) quote = 0;
    } else if (code === 0x3e) return i;
    else if (code === 0x22 || code === 0x27) quote = code;
  }
  return -1;
}

function localName(name: string): string {
  return name.slice(name.indexOf(":") + 1).toLowerCase();
}

function attributesOf(text: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const [, name, double, single] of text.matchAll(/([^\s=/"']+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g)) {
    if (name !== undefined) found.set(localName(name), decodeReferences(double ?? single ?? ""));
  }
  return found;
}

const named: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

/** The five names and the numbers of XML (XML 1.0 §4.1, §4.6); any other reference stays as it is written. */
function decodeReferences(text: string): string {
  if (!text.includes("&")) return text;
  return text.replace(
    /&(?:#(\d{1,7})|#x([\da-fA-F]{1,6})|(amp|lt|gt|quot|apos));/g,
    (all, decimal, hex, name) => {
      if (name !== undefined) return named[name] ?? all;
      const point = decimal === undefined ? parseInt(hex, 16) : Number(decimal);
      return point > 0x10ffff ? all : String.fromCodePoint(point).toWellFormed();
    },
  );
}
