/** Pieces of a page's text, each of bounded length. */

/** Source characters of a text that are looked at, before blanks are collapsed and the text is cut to its limit. */
export const textSourceCharsMax = 8192;

/** Where a refresh leads (HTML §4.2.5.3); null where it only reloads the page. */
export function refreshTarget(content: string): string | null {
  const rest = /^\s*[\d.]+(?:\s*[;,]\s*|\s+)(?=\S)([^]*)$/.exec(content)?.[1];
  if (rest === undefined) return null;
  const url = rest.replace(/^url\s*=\s*/i, "");
  const quote = url[0];
  if (quote !== '"' && quote !== "'") return url.trim();
  return url.slice(1).split(quote, 1)[0] ?? null;
}

/**
 * Whether a script's text up to its end tag is inside "<!-- <script>", so that the tag ends only what looks like a
 * script there (HTML §13.2.5.29, double escaped). The tokenizer knows no such state and ends the script.
 */
export class ScriptText {
  #isInComment = false;
  #isOpen = false;
  /** The end of what has come: what it begins may go on in the next piece. */
  #rest = "";

  /** The next script begins. */
  begins(): void {
    this.#isInComment = this.#isOpen = false;
    this.#rest = "";
  }

  comes(piece: string): void {
    const text = this.#rest + piece;
    let end = 0;
    for (const { 0: mark, index } of text.matchAll(scriptMark)) {
      end = index + mark.length;
      if (mark === "<!" || mark === "--") this.#isOpen = false;
      if (mark === "<!") this.#isInComment = true;
      else if (mark === "--") this.#isInComment = false;
      else this.#isOpen = this.#isInComment;
    }
    this.#rest = text.slice(Math.max(end, text.length - scriptMarkCharsMax));
  }

  get isScriptInComment(): boolean {
    return this.#isInComment && this.#isOpen;
  }
}

/** "<!--", "-->" and a start tag, which may share characters: "<!-->" opens and closes. */
const scriptMark = /<!(?=--)|--(?=>)|<script(?=[\s/>])/gi;
const scriptMarkCharsMax = "<script".length;

export function appended(text: string, more: string): string {
  return text.length >= textSourceCharsMax ? text : text + more.slice(0, textSourceCharsMax - text.length);
}

/** ASCII blanks (and what shows as one) collapsed and trimmed, then cut without splitting a character. */
export function collapsed(text: string, charsMax: number): string {
  const clean = text.replace(/\s+/g, " ").trim();
  return clean.length <= charsMax
    ? clean
    : clean
        .slice(0, charsMax)
        .toWellFormed()
        .replace(/\ufffd$/, "");
}
