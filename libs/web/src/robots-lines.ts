/** The lines of robots.txt that mean something, as octets (RFC 9309 §2.2). */

/** At most this many octets of robots.txt are read; the least that RFC 9309 §2.5 asks for (500 KiB). */
export const robotsBytesMax = 500 * 1024;

const keys = {
  "user-agent": "user-agent",
  useragent: "user-agent",
  "user agent": "user-agent",
  allow: "allow",
  disallow: "disallow",
  // Common slips of the pen, which the site's owner surely meant as rules.
  dissallow: "disallow",
  dissalow: "disallow",
  disalow: "disallow",
  diasllow: "disallow",
  disallaw: "disallow",
  sitemap: "sitemap",
  "site-map": "sitemap",
  "crawl-delay": "crawl-delay",
  crawldelay: "crawl-delay",
} as const;

export type RobotsKey = (typeof keys)[keyof typeof keys];

export interface Directive {
  readonly key: RobotsKey;
  readonly value: string;
  readonly line: number;
}

/** A longer line is cut: no URL that is crawled is as long. Octets. */
const lineOctetsMax = 16 * 1024;

/** The known `key: value` lines. Lines end with CR, LF or both; "#" starts a comment. */
export function* directives(octets: string): Generator<Directive> {
  let line = 1;
  let start = 0;
  let colon = -1;
  for (let i = 0; i <= octets.length; i++) {
    const code = i < octets.length ? octets.charCodeAt(i) : lf;
    if (code === 0x3a && colon < 0) colon = i;
    if (code !== lf && code !== cr) continue;
    if (colon >= 0) {
      const found = directive(octets.slice(start, Math.min(i, start + lineOctetsMax)), colon - start, line);
      if (found !== null) yield found;
    }
    if (code === cr && octets.charCodeAt(i + 1) === lf) i++;
    line++;
    start = i + 1;
    colon = -1;
  }
}

const lf = 0x0a;
const cr = 0x0d;

function directive(text: string, colon: number, line: number): Directive | null {
  const name = trimOctets(text.slice(0, colon)).toLowerCase();
  if (!Object.hasOwn(keys, name)) return null;
  const comment = text.indexOf("#", colon);
  const value = trimOctets(text.slice(colon + 1, comment < 0 ? undefined : comment));
  return { key: keys[name as keyof typeof keys], value, line };
}

/** Without ASCII blanks and NUL at both ends; `trim` would take U+00A0 too, which is part of a character here. */
function trimOctets(text: string): string {
  let from = 0;
  let to = text.length;
  while (from < to && isBlank(text.charCodeAt(from))) from++;
  while (to > from && isBlank(text.charCodeAt(to - 1))) to--;
  return text.slice(from, to);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0 || (code >= 0x09 && code <= 0x0d);
}

/** A file that some editors save as "Unicode" is no UTF-8, but surely means its rules. */
function utf8Of(body: Uint8Array): Uint8Array {
  const mark = `${body[0]} ${body[1]}`;
  if (mark !== "255 254" && mark !== "254 255") return body;
  const encoding = mark === "255 254" ? "utf-16le" : "utf-16be";
  return Buffer.from(new TextDecoder(encoding).decode(body.subarray(0, 2 * robotsBytesMax)));
}

/** The body as a string of octets, without byte order mark and without a last line that the limit cut in two. */
export function octetsOf(body: Uint8Array | string): string {
  // UTF-8 needs at least one octet for each UTF-16 unit, so what is cut off here lies past the limit.
  const bytes = typeof body === "string" ? Buffer.from(body.slice(0, robotsBytesMax + 1)) : utf8Of(body);
  const read = bytes.subarray(0, robotsBytesMax);
  const text = Buffer.from(read.buffer, read.byteOffset, read.byteLength).toString("latin1");
  const next = bytes[robotsBytesMax];
  const isCut = next !== undefined && next !== lf && next !== cr;
  const whole = isCut ? text.slice(0, Math.max(text.lastIndexOf("\n"), text.lastIndexOf("\r")) + 1) : text;
  // A mark that lost its end is tolerated: the first line's directive is meant all the same.
  return whole.replace(/^\u00ef(?:\u00bb\u00bf?)?/, "");
}
