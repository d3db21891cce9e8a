/** Canonical URLs: the origin is what stands before the first slash of the path. */
export function originOf(url: string): string {
  return url.slice(0, url.indexOf("/", url.indexOf("://") + 3));
}

/** Path and query of a canonical URL, as robots.txt matches them. */
export function pathOf(url: string): string {
  return url.slice(url.indexOf("/", url.indexOf("://") + 3));
}
