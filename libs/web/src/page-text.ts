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
export function isScriptInComment(text: string): boolean {
  const open = text.lastIndexOf("<!--");
  return open >= 0 && !text.includes("-->", open) && /<script[\s/>]/i.test(text.slice(open));
}

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
