/** Draws the sitemaps of the simulated web: plain and packed, lists, indexes, some that are broken, lie or name each other. */
import type { Random } from "@sluice/broker/memory";
import type { HostDefinition, SitemapFile, SitemapsDefinition, Target } from "./site.ts";

const kinds = ["urlset", "packed", "text"] as const;

/** Hosts of the group with sitemaps, and with pages that nothing but those lists. */
export function withSitemaps(
  random: Random,
  hosts: readonly HostDefinition[],
  groups: readonly (readonly number[])[],
): readonly HostDefinition[] {
  return hosts.map((host, number) => {
    const own = random.fork(`host ${number}`);
    if (own.chance(0.2)) return host;
    const group = groups.find((each) => each.includes(number)) ?? [number];
    const pages = new Map(host.pages);
    const hidden = Array.from({ length: own.between(1, 6) }, (_, page) => `/only/${page}`);
    const first = pages.get("/");
    for (const path of hidden)
      if (first !== undefined) pages.set(path, { ...first, links: [], troubles: 0, fillBytes: 0 });
    return { ...host, pages, sitemaps: sitemapsOf(own, number, hidden, group) };
  });
}

function sitemapsOf(
  random: Random,
  host: number,
  hidden: readonly string[],
  group: readonly number[],
): SitemapsDefinition {
  const files = new Map<string, SitemapFile>();
  const at = (path: string): Target => ({ host, path });
  const add = (path: string, kind: SitemapFile["kind"], listed: readonly Target[]): Target => {
    files.set(path, {
      kind,
      listed,
      lies: random.chance(0.3) ? ["ftp://h0.example/x", "http://[bad/", "mailto:x@h0.example"] : [],
      troubles: random.chance(0.1) ? random.between(1, 2) : 0,
    });
    return at(path);
  };
  const pages = hidden.map(at);
  const kind = kinds[random.between(0, kinds.length - 1)] ?? "urlset";
  // Of another host: in scope for some jobs, and for others a lie.
  const other = group[random.between(0, group.length - 1)] ?? host;
  const leaf = (path: string): Target =>
    add(path, kind, random.chance(0.5) ? [...pages, { host: other, path: "/p/1" }, ...pages] : pages);
  const isNamed = random.chance(0.5);
  const top = isNamed ? "/maps/a.xml" : "/sitemap.xml";
  const shape = random.next();
  if (shape < 0.4) leaf(top);
  else if (shape < 0.7) {
    // The third level is the last: what an index there lists is not read.
    add(top, "index", [add("/maps/2.xml", "index", [leaf("/maps/3.xml")]), at(top), at("/maps/none.xml")]);
  } else if (shape < 0.85) {
    const deep = add("/maps/4.xml", "urlset", [at("/only/deep")]);
    add(top, "index", [add("/maps/2.xml", "index", [add("/maps/3.xml", "index", [deep, at(top)])])]);
  } else add(top, "html", []);
  const named = isNamed
    ? [at(top), ...(random.chance(0.3) ? [{ host: other, path: "/maps/b.xml" }] : [])]
    : [];
  if (other === host && random.chance(0.5)) add("/maps/b.xml", "text", [at("/only/named")]);
  return { named, files };
}
