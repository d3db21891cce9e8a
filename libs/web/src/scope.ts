/** Which URLs belong to a crawl, by host, path and globs. */
import { compileGlob, type Glob } from "./glob.ts";
import { registrableDomain } from "./registrable-domain.ts";
import { canonicalize, type CanonicalUrl } from "./url.ts";

/**
 * What of the seeds' neighbourhood belongs to the crawl. Scheme and port never matter, only the host name does.
 * - `path`: the directory of a seed and all below it, on its host; `/docs/intro` gives `/docs` and `/docs/**`
 * - `host`: the host of a seed
 * - `subdomains`: the host of a seed and all hosts below it
 * - `domain`: all hosts of a seed's registrable domain
 * - `any`: everything, or only `allowedDomains` where there are some
 *
 * An IP address has nothing below it: it is only itself.
 */
export type ScopeKind = "path" | "host" | "subdomains" | "domain" | "any";

export interface ScopeSpec {
  readonly kind: ScopeKind;
  /** Canonical URLs. */
  readonly seeds: readonly string[];
  /** Hosts that belong to the crawl besides, each with all hosts below it. */
  readonly allowedDomains?: readonly string[];
  /**
   * Globs of which one must match, where there are any. A glob that starts with "/" is about path and query, one
   * with "://" about the whole URL, one with another slash about path and query without their first slash, and one
   * without a slash about the path's end, as if it began with a segment `**`. A glob may match the path alone too, and its
   * stars take slashes that are in the query. A leading "!" takes away from what the list's other globs match.
   */
  readonly include?: readonly string[];
  /** Globs of which none may match, whatever `include` says; written like those. */
  readonly exclude?: readonly string[];
}

export type ScopeRefusalReason = "scope_host" | "scope_path" | "exclude" | "include";

export type ScopeDecision =
  | { readonly admitted: true }
  | { readonly admitted: false; readonly reason: ScopeRefusalReason; readonly detail: string };

export interface Scope {
  /** Whether `url` belongs to the crawl, and if not, why: host first, then path, exclude and include. */
  admits(url: CanonicalUrl): ScopeDecision;
}

/** A scope that cannot be meant: a seed that is no URL, a domain that is no host name. */
export class ScopeError extends Error {
  override readonly name = "ScopeError";
}

/**
 * Compiles a scope.
 * @throws ScopeError, and GlobError for a glob that means nothing
 */
export function compileScope(spec: ScopeSpec): Scope {
  const place = new Place(spec);
  const include = compileList(spec.include ?? []);
  const exclude = compileList(spec.exclude ?? []);
  return {
    admits(url) {
      const misplaced = place.refusal(url);
      if (misplaced !== null) return misplaced;
      if (include === null && exclude === null) return admitted;
      const texts = textsOf(url);
      const excludedBy = exclude?.decider(texts) ?? null;
      if (excludedBy !== null) return refused("exclude", `matches ${excludedBy}`);
      if (include !== null && include.decider(texts) === null) {
        return refused("include", "matches none of the include globs");
      }
      return admitted;
    },
  };
}

const admitted: ScopeDecision = { admitted: true };

function refused(reason: ScopeRefusalReason, detail: string): ScopeDecision {
  return { admitted: false, reason, detail };
}

/** The part of a scope that is about hosts and directories. */
class Place {
  readonly #kind: ScopeKind;
  /** Hosts of the seeds, or their registrable domains, as the kind needs them. */
  readonly #hosts = new Set<string>();
  /** For `path`: host and directory of each seed; a directory ends with "/". */
  readonly #directories = new Set<string>();
  #directoryCharsMax = 0;
  readonly #allowedDomains = new Set<string>();

  constructor({ kind, seeds, allowedDomains }: ScopeSpec) {
    this.#kind = kind;
    for (const seed of seeds) this.#addSeed(seed);
    for (const domain of allowedDomains ?? []) this.#allowedDomains.add(hostName(domain));
  }

  refusal({ domain, path }: CanonicalUrl): ScopeDecision | null {
    if (isAtOrBelow(domain, this.#allowedDomains)) return null;
    switch (this.#kind) {
      case "any":
        return this.#allowedDomains.size === 0
          ? null
          : refused("scope_host", `${domain} is no allowed domain`);
      case "host":
        return this.#hosts.has(domain) ? null : refused("scope_host", `${domain} is no seed's host`);
      case "subdomains":
        return isAtOrBelow(domain, this.#hosts)
          ? null
          : refused("scope_host", `${domain} is neither a seed's host nor below one`);
      case "domain":
        return this.#hosts.has(registrableDomain(domain))
          ? null
          : refused("scope_host", `${domain} is of no seed's registrable domain`);
      case "path":
        if (!this.#hosts.has(domain)) return refused("scope_host", `${domain} is no seed's host`);
        return this.#isInDirectory(domain, path) ? null : refused("scope_path", "in no seed's directory");
      default:
        return this.#kind satisfies never;
    }
  }

  #addSeed(seed: string): void {
    const url = canonicalize(seed);
    if (url.kind === "refused") throw new ScopeError(`a seed is no URL that can be crawled: ${url.detail}`);
    this.#hosts.add(this.#kind === "domain" ? registrableDomain(url.domain) : url.domain);
    if (this.#kind !== "path") return;
    const pathname = pathnameOf(url.path);
    const directory = pathname.slice(0, pathname.lastIndexOf("/") + 1);
    this.#directories.add(url.domain + directory);
    this.#directoryCharsMax = Math.max(this.#directoryCharsMax, directory.length);
  }

  #isInDirectory(domain: string, path: string): boolean {
    // The directory itself is found with its slash, which a link to it may lack.
    const pathname = `${pathnameOf(path)}/`;
    let end = pathname.indexOf("/");
    while (end >= 0 && end < this.#directoryCharsMax) {
      if (this.#directories.has(domain + pathname.slice(0, end + 1))) return true;
      end = pathname.indexOf("/", end + 1);
    }
    return false;
  }
}

function pathnameOf(path: string): string {
  return path.split("?", 1)[0] ?? path;
}

/** Whether `domain` or a domain above it is in `domains`. An IP address has none above it. */
function isAtOrBelow(domain: string, domains: ReadonlySet<string>): boolean {
  if (domains.size === 0) return false;
  if (domains.has(domain)) return true;
  if (domain.startsWith("[") || /^[\d.]+$/.test(domain)) return false;
  for (let dot = domain.indexOf("."); dot >= 0; dot = domain.indexOf(".", dot + 1)) {
    if (domains.has(domain.slice(dot + 1))) return true;
  }
  return false;
}

/** A configured domain in the spelling of `CanonicalUrl.domain`; "*." and "." before it are let pass. */
function hostName(domain: string): string {
  const name = domain.trim().replace(/^\*?\./, "");
  const url = /[/?#@\\]/.test(name) ? null : canonicalize(`http://${name}/`);
  if (url === null || url.kind === "refused") throw new ScopeError(`not a host name: ${domain}`);
  return url.domain;
}

/** What globs are matched against. The path alone comes first, so that a glob needs no care for queries. */
interface Texts {
  readonly paths: readonly string[];
  readonly urls: readonly string[];
}

function textsOf({ origin, path }: CanonicalUrl): Texts {
  const pathname = pathnameOf(path);
  const paths = [pathname];
  if (pathname.length < path.length) {
    paths.push(path);
    const query = path.slice(pathname.length);
    // A slash in the query separates nothing: here it is a character that stars take.
    if (query.includes("/")) paths.push(pathname + query.replaceAll("/", "\u0001"));
  }
  return { paths, urls: paths.map((text) => origin + text) };
}

interface ListedGlob {
  readonly source: string;
  readonly matches: (texts: Texts) => boolean;
}

class GlobList {
  readonly #adding: readonly ListedGlob[];
  readonly #taking: readonly ListedGlob[];

  constructor(patterns: readonly string[]) {
    this.#adding = patterns.filter((pattern) => !pattern.startsWith("!")).map(listedGlob);
    this.#taking = patterns.filter((pattern) => pattern.startsWith("!")).map(listedGlob);
  }

  /** The glob by which the list matches, null where it does not. A list of "!" globs only matches all the rest. */
  decider(texts: Texts): string | null {
    const first =
      this.#adding.length === 0
        ? "all but what is taken away"
        : this.#adding.find((g) => g.matches(texts))?.source;
    return first === undefined || this.#taking.some((glob) => glob.matches(texts)) ? null : first;
  }
}

function compileList(patterns: readonly string[]): GlobList | null {
  return patterns.length === 0 ? null : new GlobList(patterns);
}

/** A pattern of a list, its leading "!" left to the list. */
function listedGlob(source: string): ListedGlob {
  const pattern = source.replace(/^!/, "");
  if (pattern.includes("://")) {
    const glob = compileGlob(pattern);
    return { source, matches: ({ urls }) => anyMatches(glob, urls, 0) };
  }
  const glob = compileGlob(pattern.includes("/") || pattern === "" ? pattern : `**/${pattern}`);
  const from = pattern.startsWith("/") ? 0 : 1;
  return { source, matches: ({ paths }) => anyMatches(glob, paths, from) };
}

function anyMatches(glob: Glob, texts: readonly string[], from: number): boolean {
  return texts.some((text) => glob.matches(from === 0 ? text : text.slice(from)));
}
