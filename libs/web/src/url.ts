/** Which URLs are the same page: one spelling and one id for each (RFC 3986 §6, WHATWG URL). */
import { hash } from "node:crypto";
import { normalizePercent, pathChars, queryChars } from "./percent.ts";
import { isSessionId, isTracking, withoutSessionPath } from "./url-noise.ts";

/** Rises whenever the default rules give any URL another canonical form, and thereby another id. */
export const canonicalRulesVersion = 1;

/** A longer canonical URL is refused; the limit many clients and servers share. Characters, all of them ASCII. */
export const urlCharsMax = 2083;

/** A longer raw reference is refused unread: no page's link needs it, and parsing it costs time. Characters. */
export const rawUrlCharsMax = 16_384;

export interface CanonicalUrl {
  readonly kind: "url";
  /** The canonical URL: ASCII, no fragment, no userinfo. */
  readonly url: string;
  /** First 32 hexadecimal digits of the SHA-256 of `url`. */
  readonly urlId: string;
  /** Host name, with the port where it is not the scheme's default. */
  readonly host: string;
  /** Politeness key: host name without port, lower-case, IDN as punycode, IPv6 in brackets, no trailing dot. */
  readonly domain: string;
  /** Scheme, host and port: what one robots.txt is about. */
  readonly origin: string;
  /** Path and query, as robots.txt rules see them. */
  readonly path: string;
}

export type UrlRefusalReason = "invalid" | "scheme" | "host" | "too_long" | "userinfo";

export interface UrlRefusal {
  readonly kind: "refused";
  readonly reason: UrlRefusalReason;
  /** A sentence for people. Never quotes the URL, which may hold a secret. */
  readonly detail: string;
}

export interface CanonicalOptions {
  /** Sort the query's parameters by name (stable). Default false: for some servers the order has a meaning. */
  readonly sortQuery?: boolean;
  /**
   * Names of query parameters to drop, compared case-sensitively in canonical spelling; one that ends with "*" is a
   * prefix, e.g. `utm_*`. Default none: dropping a parameter may make two pages one.
   */
  readonly dropParams?: readonly string[];
  /** Drop the query parameters of `trackingParams`. Default false. */
  readonly dropTracking?: boolean;
  /** Drop session ids from path and query: `sessionParams`, `;jsessionid=…`, `/(S(…))`. Default false. */
  readonly dropSessionIds?: boolean;
  /** `strip` (default) drops user and password, `refuse` refuses a URL that has them. They are never kept. */
  readonly userinfo?: "strip" | "refuse";
}

/**
 * The canonical form of `raw`, resolved against `base` where it is relative.
 * @param base absolute URL of the document that `raw` was found in
 */
export function canonicalize(
  raw: string,
  base?: string,
  options: CanonicalOptions = {},
): CanonicalUrl | UrlRefusal {
  if (raw.length > rawUrlCharsMax) {
    return refused("too_long", `reference of ${raw.length} characters, at most ${rawUrlCharsMax} are read`);
  }
  const plain = changesPages(options) ? null : plainUrl(raw);
  return plain ?? parsed(raw, base, options);
}

/** What is canonical by the rules, by the options as well. */
export function recanonicalize(url: CanonicalUrl, options: CanonicalOptions): CanonicalUrl {
  if (!changesPages(options)) return url;
  const answer = canonicalize(url.url, undefined, options);
  return answer.kind === "url" ? answer : url;
}

/** A memo of `canonicalize` for one page, whose links repeat: remembers at most `entriesMax` raw references. */
export function canonicalizer(
  base?: string,
  options: CanonicalOptions = {},
  entriesMax = 10_000,
): (raw: string) => CanonicalUrl | UrlRefusal {
  const known = new Map<string, CanonicalUrl | UrlRefusal>();
  return (raw) => {
    const hit = known.get(raw);
    if (hit !== undefined) return hit;
    const answer = canonicalize(raw, base, options);
    if (known.size < entriesMax) known.set(raw, answer);
    return answer;
  };
}

/** The id of a canonical URL: first 32 hexadecimal digits of the SHA-256 of its UTF-8 octets. */
export function urlIdOf(canonicalUrl: string): string {
  return hash("sha256", canonicalUrl, "hex").slice(0, 32);
}

/**
 * A lower-case host of ordinary labels whose last one starts with a letter, so it is no IPv4 number, then a path
 * without segments that start with a dot, then a non-empty query; nothing that would have to be encoded or decoded.
 */
const plainPattern =
  /^(https?:\/\/((?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]))((?:\/(?!\.)[\w\-.~!$&'()*+,;=:@]*)+(?:\?[\w\-.~!$&()*+,;=:@/?]+)?)$/;

/** The answer for a URL that is already canonical, or null where only a full parse can tell. */
function plainUrl(raw: string): CanonicalUrl | null {
  if (raw.length > urlCharsMax) return null;
  const match = plainPattern.exec(raw);
  const origin = match?.[1];
  const domain = match?.[2];
  const path = match?.[3];
  if (origin === undefined || domain === undefined || path === undefined) return null;
  // Punycode has to be checked by the URL parser.
  if (domain.length > hostCharsMax || domain.includes("xn--")) return null;
  return { kind: "url", url: raw, urlId: urlIdOf(raw), host: domain, domain, origin, path };
}

function parsed(raw: string, base: string | undefined, options: CanonicalOptions): CanonicalUrl | UrlRefusal {
  const url = URL.parse(raw, base);
  if (url === null) return refused("invalid", "not a URL, or relative without a base");
  const scheme = url.protocol.slice(0, -1);
  if (scheme !== "http" && scheme !== "https") {
    return refused("scheme", `scheme ${scheme.slice(0, 32)}, only http and https are crawled`);
  }
  if (options.userinfo === "refuse" && (url.username !== "" || url.password !== "")) {
    return refused("userinfo", "user or password in the URL");
  }
  const domain = url.hostname.endsWith(".") ? url.hostname.slice(0, -1) : url.hostname;
  const hostFault = faultOfHost(domain);
  if (hostFault !== null) return refused("host", hostFault);
  const host = url.port === "" ? domain : `${domain}:${url.port}`;
  const origin = `${scheme}://${host}`;
  const query = canonicalQuery(url.search.slice(1), options);
  const path = canonicalPath(url, options) + (query === "" ? "" : `?${query}`);
  const canonical = origin + path;
  if (canonical.length > urlCharsMax) {
    return refused("too_long", `URL of ${canonical.length} characters, at most ${urlCharsMax} are crawled`);
  }
  return { kind: "url", url: canonical, urlId: urlIdOf(canonical), host, domain, origin, path };
}

/** Longest name that DNS can carry, in characters without the trailing dot (RFC 1035 §2.3.4). */
const hostCharsMax = 253;

const namePattern = /^(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}$/;

/** Why `domain` can be no host's name in DNS, which the URL standard alone does not ask; null where it can. */
function faultOfHost(domain: string): string | null {
  if (domain.startsWith("[") || namePattern.test(domain)) {
    return domain.length > hostCharsMax ? `host name longer than ${hostCharsMax} characters` : null;
  }
  return "host name with an empty label, a label over 63 characters or a character that DNS names do not have";
}

/** Whether the options drop or move anything of a URL, so that it may differ from its form without them. */
function changesPages({ sortQuery, dropParams, dropTracking, dropSessionIds }: CanonicalOptions): boolean {
  return Boolean(sortQuery || dropParams?.length || dropTracking || dropSessionIds);
}

function canonicalPath(url: URL, { dropSessionIds }: CanonicalOptions): string {
  let path = normalizePercent(url.pathname, pathChars);
  if (!dropSessionIds) return path;
  for (;;) {
    const without = withoutSessionPath(path);
    if (without === path) return path;
    // What is left may be a dot segment, or bring another id together.
    url.pathname = without;
    path = normalizePercent(url.pathname, pathChars);
  }
}

function canonicalQuery(raw: string, options: CanonicalOptions): string {
  const query = normalizePercent(raw, queryChars);
  if (query === "" || !changesPages(options)) return query;
  const { sortQuery, dropParams = [], dropTracking, dropSessionIds } = options;
  const kept = query
    .split("&")
    .filter((pair) => pair !== "" && !(dropTracking && isTracking(pair)))
    .filter((pair) => !(dropSessionIds && isSessionId(pair)))
    .map((pair) => ({ pair, name: pair.split("=", 1)[0] ?? "" }))
    .filter(({ name }) => !isDropped(name, dropParams));
  if (sortQuery) kept.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  return kept.map(({ pair }) => pair).join("&");
}

function isDropped(name: string, dropParams: readonly string[]): boolean {
  return dropParams.some((drop) => (drop.endsWith("*") ? name.startsWith(drop.slice(0, -1)) : name === drop));
}

function refused(reason: UrlRefusalReason, detail: string): UrlRefusal {
  return { kind: "refused", reason, detail };
}
