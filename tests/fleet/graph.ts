import { htmlPage, type Page } from "./origin.ts";

export interface GraphOptions {
  /** Loopback addresses, one a host. */
  readonly hosts: readonly string[];
  readonly pagesPerHost: number;
  readonly port: () => number;
  readonly seed: number;
  /** Links of a page to other hosts. */
  readonly crossLinks: number;
}

/** A number in [0, 2^32) drawn from the seed and the numbers: the same everywhere, always. */
export function draw(...numbers: readonly number[]): number {
  let hash = 0x9e3779b9;
  for (const each of numbers) {
    hash = Math.imul(hash ^ each, 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    hash ^= hash >>> 16;
  }
  return hash >>> 0;
}

/**
 * A generated web: each host a tree of pages with links back, duplicates, redirects, missing pages and
 * paths that robots.txt forbids; some links lead to other hosts. What a crawl has to find follows from it.
 */
export class Graph {
  readonly #options: GraphOptions;

  constructor(options: GraphOptions) {
    this.#options = options;
  }

  url(host: number, path: string): string {
    return `http://${this.#options.hosts[host] ?? ""}:${this.#options.port()}${path}`;
  }

  /** What the server of a host answers. */
  site(address: string, path: string): Page {
    const host = this.#options.hosts.indexOf(address);
    if (path === "/robots.txt") {
      return { headers: { "content-type": "text/plain" }, body: "User-agent: *\nDisallow: /private/\n" };
    }
    const { status, links, location } = this.#at(host, path);
    if (location !== null) return { status, headers: { location } };
    if (status !== 200) return { status, body: "gone" };
    return htmlPage(`${address} ${path}`, links);
  }

  /** Breadth first over the same graph: URLs with a result, by the rules of robots.txt and scope `any`. */
  reachable(seeds: readonly string[]): ReadonlySet<string> {
    const found = new Set(seeds);
    const queue = [...seeds];
    // Grows while it is walked. Taking the first one off would move all others, a million of them at times.
    for (const url of queue) {
      const { hostname, pathname } = new URL(url);
      const { links, location } = this.#at(this.#options.hosts.indexOf(hostname), pathname);
      for (const link of location === null ? links : [location]) {
        const target = new URL(link, url);
        target.hash = "";
        if (target.pathname.startsWith("/private/") || found.has(target.href)) continue;
        found.add(target.href);
        queue.push(target.href);
      }
    }
    return found;
  }

  /** Every page of the graph, reachable or not, for a verifier that knows nothing of how it was made. */
  *pages(): Iterable<{ url: string; status: number; location: string | null; links: readonly string[] }> {
    const { hosts, pagesPerHost } = this.#options;
    for (const host of hosts.keys()) {
      yield { url: this.url(host, "/"), ...this.#at(host, "/") };
      for (let page = 0; page < pagesPerHost; page += 1) {
        for (const path of [`/p/${page}`, `/old/${page}`, `/gone/${page}`])
          yield { url: this.url(host, path), ...this.#at(host, path) };
      }
    }
  }

  #at(
    host: number,
    path: string,
  ): { readonly status: number; readonly links: readonly string[]; readonly location: string | null } {
    const { seed, pagesPerHost, hosts, crossLinks } = this.#options;
    const none = { status: 200, links: [], location: null };
    if (path.startsWith("/old/"))
      return { status: 301, links: [], location: `/p/${path.slice("/old/".length)}` };
    if (path.startsWith("/gone/")) return { ...none, status: 404 };
    const match = /^\/p\/(\d+)$/.exec(path);
    const page = path === "/" ? 0 : match === null ? null : Number(match[1]);
    if (page === null) return none;
    const links = ["/", "#top", `/private/${page}`];
    for (let child = page * 3 + 1; child <= page * 3 + 3 && child < pagesPerHost; child += 1) {
      links.push(draw(seed, host, child) % 10 === 0 ? `/old/${child}` : `/p/${child}`, `/p/${child}#again`);
    }
    if (draw(seed, host, page, 1) % 7 === 0) links.push(`/gone/${page}`);
    for (let cross = 0; cross < crossLinks; cross += 1) {
      const other = draw(seed, host, page, 100 + cross) % hosts.length;
      links.push(this.url(other, `/p/${draw(seed, host, page, 200 + cross) % pagesPerHost}`));
    }
    return { status: 200, links, location: null };
  }
}

/** `count` loopback addresses from 127.`block`.0.1 on. */
export function loopback(block: number, count: number): readonly string[] {
  return Array.from(
    { length: count },
    (_, index) => `127.${block}.${Math.floor(index / 250)}.${(index % 250) + 1}`,
  );
}
