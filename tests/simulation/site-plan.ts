/** Draws the simulated web of one run: sites of all sizes, few large, with everything that real ones do. */
import type { Random } from "@sluice/broker/memory";
import type {
  Health,
  HostDefinition,
  Link,
  PageDefinition,
  RobotsDefinition,
  Target,
  Trouble,
} from "./site.ts";

export interface SiteOptions {
  readonly hosts: number;
  /** Registrable domains that the hosts are of; null: each is one of its own. */
  readonly domains: number | null;
  /** Pages of all hosts together, about. */
  readonly pages: number;
  /** Numbers of the hosts that link to each other. */
  readonly groups: readonly (readonly number[])[];
  /** Hosts with pages without end. */
  readonly traps: ReadonlySet<number>;
  /** Longest latency of a slow host. */
  readonly latencyMsMax: number;
  /** Most requests in a row that fail before one is answered. */
  readonly troublesMax: number;
}

/** By Zipf's law: the n-th largest has about a share of 1/n. */
export function sitesOf(random: Random, options: SiteOptions): readonly HostDefinition[] {
  const shares = Array.from({ length: options.hosts }, (_, host) => 1 / (host + 1));
  const whole = shares.reduce((sum, share) => sum + share, 0);
  return shares.map((share, number) => {
    const pages = Math.max(1, Math.round((options.pages * share) / whole));
    return hostOf(random.fork(`host ${number}`), number, pages, options);
  });
}

const pathOf = (page: number): string => (page === 0 ? "/" : `/p/${page}`);

function hostOf(random: Random, number: number, pages: number, options: SiteOptions): HostDefinition {
  const group = options.groups.find((each) => each.includes(number)) ?? [number];
  const made = new Map<string, PageDefinition>();
  const name = hostName(number, options);
  for (let page = 0; page < pages; page += 1) {
    made.set(pathOf(page), pageOf(random, number, page, pages, group, options));
  }
  addRedirects(random, number, pages, made);
  if (options.traps.has(number)) addLink(made, "/", { host: number, path: "/trap/1" }, "/trap/1");
  return {
    name,
    pages: made,
    robots: robotsPlan(random, options),
    health: healthOf(random),
    latencyMs: random.chance(0.15) ? [options.latencyMsMax >> 2, options.latencyMsMax] : [1, 40],
    trap: options.traps.has(number),
    retryAfterS: random.between(1, 3),
  };
}

const hostName = (number: number, { domains }: SiteOptions): string =>
  domains === null ? `h${number}.example` : `h${number}.site-${number % domains}.example`;

function pageOf(
  random: Random,
  number: number,
  page: number,
  pages: number,
  group: readonly number[],
  options: SiteOptions,
): PageDefinition {
  const links: Link[] = [];
  const add = (to: Target): void => {
    links.push(linkTo(random, number, to, options));
  };
  for (let child = page * 3 + 1; child <= page * 3 + 3 && child < pages; child += 1) {
    add({ host: number, path: pathOf(child) });
    if (random.chance(0.2)) add({ host: number, path: pathOf(child) });
  }
  if (random.chance(0.4)) add({ host: number, path: "/" });
  if (random.chance(0.15)) add({ host: number, path: `/private/${page}` });
  if (random.chance(0.1)) add({ host: number, path: `/later/${page}` });
  if (random.chance(0.1)) add({ host: number, path: `/gone/${page}` });
  for (const other of group) {
    // Anywhere on the other host, so that its pages are reached in any order.
    if (other !== number && random.chance(0.25)) add({ host: other, path: pathOf(random.between(0, 5)) });
  }
  const troubled = random.chance(0.08);
  return {
    status: 200,
    location: null,
    links,
    troubles: troubled ? random.between(1, options.troublesMax) : 0,
    trouble: (["http_500", "http_429", "reset"] as const)[random.between(0, 2)] ?? "reset",
    nofollow: random.chance(0.02),
    fillBytes: random.chance(0.02) ? random.between(2000, 30_000) : 0,
  };
}

/** The same page under another spelling. */
function linkTo(random: Random, from: number, to: Target, options: SiteOptions): Link {
  const absolute = `http://${hostName(to.host, options)}${to.path}`;
  const spellings =
    to.host === from
      ? [
          to.path,
          `${to.path}#part`,
          absolute,
          `http://${hostName(to.host, options).toUpperCase()}:80${to.path}`,
          `/x/..${to.path}`,
        ]
      : [absolute, `${absolute}#top`, `HTTP://${hostName(to.host, options)}${to.path}`];
  return { href: spellings[random.between(0, spellings.length - 1)] ?? absolute, to };
}

/** Chains of redirects, one of which may be longer than anybody follows, and a loop. */
function addRedirects(
  random: Random,
  number: number,
  pages: number,
  made: Map<string, PageDefinition>,
): void {
  if (random.chance(0.2)) {
    const length = random.chance(0.15) ? 12 : random.between(1, 4);
    addLink(made, "/", { host: number, path: "/r/1" }, "/r/1");
    for (let hop = 1; hop <= length; hop += 1) {
      const to = hop === length ? pathOf(random.between(0, pages - 1)) : `/r/${hop + 1}`;
      made.set(`/r/${hop}`, redirectTo({ host: number, path: to }));
    }
  }
  if (random.chance(0.1)) {
    addLink(made, "/", { host: number, path: "/loop/a" }, "/loop/a");
    made.set("/loop/a", redirectTo({ host: number, path: "/loop/b" }));
    made.set("/loop/b", redirectTo({ host: number, path: "/loop/a" }));
  }
}

function redirectTo(to: Target): PageDefinition {
  const trouble: Trouble = "reset";
  return {
    status: 301,
    location: { href: to.path, to },
    links: [],
    troubles: 0,
    trouble,
    nofollow: false,
    fillBytes: 0,
  };
}

function addLink(made: Map<string, PageDefinition>, path: string, to: Target, href: string): void {
  const page = made.get(path);
  if (page !== undefined) made.set(path, { ...page, links: [...page.links, { href, to }] });
}

function robotsPlan(random: Random, options: SiteOptions): RobotsDefinition {
  const dice = random.next();
  if (dice < 0.3) return { kind: "absent" };
  if (dice < 0.33) return { kind: "broken" };
  const changes = random.chance(0.2);
  return {
    kind: "rules",
    disallow: random.chance(0.8) ? ["/private/"] : [],
    crawlDelayS: random.chance(0.1) ? random.between(1, 8) / 10 : null,
    troubles: random.chance(0.08) ? random.between(1, options.troublesMax) : 0,
    changesAtMs: changes ? random.between(500, 6000) : Number.POSITIVE_INFINITY,
    laterDisallow: ["/later/", "/private/"],
    redirected: random.chance(0.1),
  };
}

function healthOf(random: Random): Health {
  const dice = random.next();
  if (dice < 0.9) return { kind: "up" };
  if (dice < 0.92) return { kind: "refused" };
  if (dice < 0.94) return { kind: "tarpit" };
  if (dice < 0.98) {
    return {
      kind: "dying",
      atMs: random.between(500, 5000),
      into: random.chance(0.5) ? "refused" : "tarpit",
    };
  }
  return { kind: "recovering", atMs: random.between(500, 8000) };
}
