/** The simulated web as data: what each host answers, from which the oracle follows too. */

/** A page by its host's number and its path with query: what the oracle calls a URL. */
export interface Target {
  readonly host: number;
  readonly path: string;
}

export interface Link {
  /** As it stands in the page: relative, with a fragment, in odd but equal spelling. */
  readonly href: string;
  readonly to: Target;
}

/** How a request fails at a host that answers others. */
export type Trouble = "http_500" | "http_429" | "reset";

export interface PageDefinition {
  readonly status: number;
  /** Of a redirect. */
  readonly location: Link | null;
  readonly links: readonly Link[];
  /** The first so many requests of this page fail. */
  readonly troubles: number;
  readonly trouble: Trouble;
  /** A header says nofollow: its links are nobody's. */
  readonly nofollow: boolean;
  /** Filler in the body, in bytes. */
  readonly fillBytes: number;
}

export type RobotsDefinition =
  | { readonly kind: "absent" }
  | {
      readonly kind: "rules";
      readonly disallow: readonly string[];
      readonly crawlDelayS: number | null;
      /** The first so many requests of it are answered with 503. */
      readonly troubles: number;
      /** From this instant of the run on it has other rules. */
      readonly changesAtMs: number;
      readonly laterDisallow: readonly string[];
      /** It is reached by a redirect. */
      readonly redirected: boolean;
      /** Number of the host to which it redirects; its own where there is none. */
      readonly elsewhere?: number;
    }
  /** It answers 503 for ever: nothing of the host may be fetched. */
  | { readonly kind: "broken" };

/** Whether the host is there at all. `tarpit` takes the connection and never answers. */
export type Health =
  | { readonly kind: "up" }
  | { readonly kind: "refused" }
  | { readonly kind: "tarpit" }
  /** Up until that instant of the run. */
  | { readonly kind: "dying"; readonly atMs: number; readonly into: "refused" | "tarpit" }
  /** Not there until that instant. */
  | { readonly kind: "recovering"; readonly atMs: number };

/** A sitemap as a host serves it, under its path. */
export interface SitemapFile {
  /** `packed`: a urlset by gzip; `text`: a URL a line; `html`: what a host without one may answer with 200. */
  readonly kind: "urlset" | "packed" | "text" | "index" | "html";
  /** What it lists: pages, or of an index further files of any host. */
  readonly listed: readonly Target[];
  /** Listed as well, and nobody's: other schemes, hosts that are none. */
  readonly lies: readonly string[];
  readonly troubles: number;
}

export interface SitemapsDefinition {
  /** Those that robots.txt names; without any, `/sitemap.xml` is looked for. */
  readonly named: readonly Target[];
  readonly files: ReadonlyMap<string, SitemapFile>;
}

export const noSitemaps: SitemapsDefinition = { named: [], files: new Map() };

/** Where a crawl that follows sitemaps begins to look on a host. */
export function firstSitemaps(
  { robots, sitemaps = noSitemaps }: HostDefinition,
  host: number,
): readonly Target[] {
  const named = robots.kind === "rules" ? sitemaps.named : [];
  return named.length > 0 ? named : [{ host, path: "/sitemap.xml" }];
}

export interface HostDefinition {
  readonly name: string;
  readonly pages: ReadonlyMap<string, PageDefinition>;
  readonly robots: RobotsDefinition;
  /** None where it does not say. */
  readonly sitemaps?: SitemapsDefinition;
  readonly health: Health;
  readonly latencyMs: readonly [number, number];
  /** Pages of `/trap/<n>` without end. */
  readonly trap: boolean;
  readonly retryAfterS: number;
  /** Hrefs of pages that are made as they are asked for; null where there is none. */
  readonly endless?: (path: string) => readonly string[] | null;
}

export const urlOf = (hosts: readonly HostDefinition[], { host, path }: Target): string =>
  `http://${hosts[host]?.name ?? ""}${path}`;

const plain: PageDefinition = {
  status: 200,
  location: null,
  links: [],
  troubles: 0,
  trouble: "reset",
  nofollow: false,
  fillBytes: 0,
};
const missing: PageDefinition = { ...plain, status: 404 };

/** The page at a path; every path has an answer, 404 where nothing was made. */
export function pageAt(host: HostDefinition, number: number, path: string): PageDefinition {
  const known = host.pages.get(path);
  if (known !== undefined) return known;
  const made = host.endless?.(path) ?? null;
  if (made !== null)
    return { ...plain, links: made.map((href) => ({ href, to: { host: number, path: href } })) };
  const trap = /^\/trap\/(\d+)$/.exec(path);
  if (!host.trap || trap === null) return missing;
  const next = Number(trap[1]) + 1;
  const links = [next, next + 1].map((page) => ({
    href: `/trap/${page}`,
    to: { host: number, path: `/trap/${page}` },
  }));
  return { ...plain, links };
}

/** Rules of robots.txt at an instant of the run; null where it does not say. */
export function robotsRules(robots: RobotsDefinition, atMs: number): readonly string[] {
  if (robots.kind !== "rules") return [];
  return atMs >= robots.changesAtMs ? robots.laterDisallow : robots.disallow;
}

/** Where a host has robots.txt of another one. */
export const robotsPathOf = (host: number): string => `/robots-of/${host}`;

export const isForbidden = (rules: readonly string[], path: string): boolean =>
  rules.some((rule) => path.startsWith(rule));
