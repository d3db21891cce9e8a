/** Host name of a canonical URL, without port; IPv6 in brackets. */
export function hostOf(url: string): string {
  const start = url.indexOf("://") + 3;
  const slash = url.indexOf("/", start);
  const authority = slash < 0 ? url.slice(start) : url.slice(start, slash);
  return authority.replace(/:\d+$/, "");
}
