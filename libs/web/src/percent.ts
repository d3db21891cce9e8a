/** Percent-encoding in one form, so that two spellings of the same octets compare equal (RFC 3986 §6.2.2). */

const percent = 0x25;
const unreserved = charSet("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~");

/** The characters that a path may hold unencoded: pchar and "/" (RFC 3986 §3.3). */
export const pathChars = union(unreserved, charSet("!$&'()*+,;=:@/"));

/** The characters that a query may hold unencoded: those of a path and "?" (RFC 3986 §3.4). */
export const queryChars = union(pathChars, charSet("?"));

/** A set of ASCII characters, indexed by code. */
export type CharSet = Readonly<Uint8Array>;

/** The set of the characters in `chars`, which must be ASCII. */
export function charSet(chars: string): CharSet {
  const set = new Uint8Array(128);
  for (let i = 0; i < chars.length; i++) set[chars.charCodeAt(i)] = 1;
  return set;
}

/** All characters of either set. */
export function union(a: CharSet, b: CharSet): CharSet {
  return a.map((kept, code) => kept | (b[code] ?? 0));
}

/** All characters of `a` that are not in `b`. */
export function without(a: CharSet, b: CharSet): CharSet {
  return a.map((kept, code) => (b[code] === 1 ? 0 : kept));
}

/**
 * Writes `text` with upper-case escapes, unreserved characters decoded and every character outside `kept` encoded.
 * A "%" that starts no escape is encoded itself. Applying it twice changes nothing.
 * @param octets each character stands for one octet (0–255) instead of a Unicode character
 */
export function normalizePercent(text: string, kept: CharSet, octets = false): string {
  let out = "";
  let from = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 128 && kept[code] === 1) continue;
    if (i > from) out += text.slice(from, i);
    if (code === percent) {
      const octet = hexOctet(text, i + 1);
      if (octet < 0) out += "%25";
      else {
        out += octet < 128 && unreserved[octet] === 1 ? String.fromCharCode(octet) : escapeOctet(octet);
        i += 2;
      }
    } else if (code < 128 || octets) out += escapeOctet(code);
    else {
      const point = text.codePointAt(i) ?? code;
      if (point > 0xffff) i += 1;
      // A lone surrogate has no octets; the URL standard writes U+FFFD for it.
      out += encodeURIComponent(String.fromCodePoint(point).toWellFormed());
    }
    from = i + 1;
  }
  return from === 0 ? text : out + text.slice(from);
}

/** `octet` as "%XX". */
export function escapeOctet(octet: number): string {
  return `%${octet < 16 ? "0" : ""}${octet.toString(16).toUpperCase()}`;
}

function hexOctet(text: string, at: number): number {
  const high = hexDigit(text.charCodeAt(at));
  const low = hexDigit(text.charCodeAt(at + 1));
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
