import { decodeBody, isHtml } from "@sluice/web";
import { DomHandler, Parser } from "htmlparser2";
import type { Extraction } from "./calls.ts";

/** Most bytes of the JSON text of one page. */
export const extractedBytesMax = 100_000;

/** Selectors and pages are other people's, and the loop has more to do than this one page. */
const timeMaxMs = 1000;
/** Browsers stop at 512. The parser's work grows with the square of the depth. */
const depthMax = 2000;
const parseChunkChars = 65_536;
const noteCharsMax = 500;
/** A UTF-16 unit written as an escape. */
const bytesPerUnitMax = 6;

/**
 * Reads texts off a page by CSS selectors. What can't be read is left out and said in the note: a selector
 * with an error, and what lies beyond the limits of bytes and time. Never fails for what a page or a job says.
 */
export async function extractFrom(
  body: Uint8Array,
  contentType: string | null,
  selectors: Readonly<Record<string, string>>,
  nowMs: () => number,
): Promise<Extraction> {
  if (body.length === 0 || !isHtml(contentType)) return { extractedJson: null, extractionNote: null };
  const { text } = decodeBody(body, contentType);
  return extractTexts(text, selectors, nowMs);
}

async function extractTexts(
  html: string,
  selectors: Readonly<Record<string, string>>,
  nowMs: () => number,
): Promise<Extraction> {
  // Only here: most jobs name no selectors, and then it costs neither time at the start nor memory.
  const { load } = await import("cheerio/slim");
  const endMs = nowMs() + timeMaxMs;
  const lists = new Map<string, string[]>(Object.keys(selectors).map((name) => [name, []]));
  let bytesLeft = extractedBytesMax - bytesOf(jsonOf(lists));
  const notes: string[] = [];
  let page: ReturnType<typeof load>;
  try {
    page = load(documentOf(html, () => nowMs() >= endMs));
  } catch (error) {
    return { extractedJson: jsonOf(lists), extractionNote: noteOf([`the page: ${messageOf(error)}`]) };
  }
  for (const [name, selector] of Object.entries(selectors)) {
    const texts = lists.get(name) ?? [];
    try {
      // cheerio takes markup for something to make, not to look for.
      if (selector.trimStart().startsWith("<")) throw new Error("markup is no selector");
      for (const element of page.root().find(selector).toArray()) {
        if (nowMs() >= endMs || bytesLeft <= 0) break;
        const text = page(element).text().replaceAll(/\s+/g, " ").trim();
        const json = JSON.stringify(text);
        const bytes = bytesOf(json) + 1;
        if (bytes > bytesLeft) {
          const units = Math.floor((bytesLeft - 3) / bytesPerUnitMax);
          if (units > 0) texts.push(JSON.stringify(text.slice(0, units).toWellFormed()));
          bytesLeft = 0;
          break;
        }
        texts.push(json);
        bytesLeft -= bytes;
      }
    } catch (error) {
      notes.push(`${name}: ${messageOf(error)}`);
    }
    if (nowMs() >= endMs || bytesLeft <= 0) break;
  }
  if (bytesLeft <= 0) notes.push(`texts beyond ${extractedBytesMax} bytes are left out`);
  else if (nowMs() >= endMs) notes.push(`texts not read within ${timeMaxMs} ms are left out`);
  return { extractedJson: jsonOf(lists), extractionNote: noteOf(notes) };
}

/** The tree of a page. Throws where it nests too deep, or where the time is over. */
function documentOf(html: string, isOver: () => boolean): DomHandler["root"] {
  const handler = new BoundedHandler();
  const parser = new Parser(handler);
  for (let from = 0; from < html.length; from += parseChunkChars) {
    if (isOver()) throw new Error(`not parsed within ${timeMaxMs} ms`);
    parser.write(html.slice(from, from + parseChunkChars));
  }
  parser.end();
  return handler.root;
}

class BoundedHandler extends DomHandler {
  #depth = 0;

  override onopentag(name: string, attributes: Record<string, string>): void {
    this.#depth += 1;
    if (this.#depth > depthMax) throw new Error(`more than ${depthMax} elements within each other`);
    super.onopentag(name, attributes);
  }

  override onclosetag(): void {
    this.#depth -= 1;
    super.onclosetag();
  }
}

/** Written by hand, so that a name such as `__proto__` is one as any other. */
function jsonOf(lists: ReadonlyMap<string, readonly string[]>): string {
  const members = [...lists].map(([name, texts]) => `${JSON.stringify(name)}:[${texts.join(",")}]`);
  return `{${members.join(",")}}`;
}

const bytesOf = (text: string): number => Buffer.byteLength(text);
const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
const noteOf = (notes: readonly string[]): string | null =>
  notes.length === 0 ? null : notes.join("; ").slice(0, noteCharsMax);
