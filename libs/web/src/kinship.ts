/** Host names without end: a server answers to all names of its domain, and each leads to more of them. */
import { registrableDomain } from "./registrable-domain.ts";

/**
 * Of links from a page to a host. `self`: to its own, beyond the page itself; `stray`: to another of its domain, from a page that
 * leads to no other page of its own host.
 */
export type Kin = "self" | "stray";

/**
 * What links of a page to a host are to it. A directory of hosts leads to nothing but hosts too, and what is listed
 * there back to it: so it is not said of links from and to the host where the crawl began and the domain's own.
 * @param links of the page, URLs and their hosts
 */
export function kinshipOf(
  { url, host, root }: { readonly url: string; readonly host: string; readonly root: string | null },
  links: readonly { readonly url: string; readonly domain: string }[],
): (host: string) => Kin | null {
  const own = registrableDomain(host);
  const isCentral = (name: string): boolean => name === own || name === `www.${own}` || name === root;
  if (isCentral(host)) return () => null;
  if (links.some((link) => link.domain === host && link.url !== url))
    return (to) => (to === host ? "self" : null);
  return (to) => (to !== host && registrableDomain(to) === own && !isCentral(to) ? "stray" : null);
}
