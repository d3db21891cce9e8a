import type { Link } from "@sluice/records";
import { canonicalize } from "@sluice/web";

/** The record of links that a page leads to, all on one domain, with that domain. */
export function linksTo(
  job: string,
  urls: readonly string[],
  depth = 1,
): { readonly domain: string; readonly link: Link } {
  const first = canonicalize(urls[0] ?? "");
  if (first.kind === "refused") throw new Error(first.detail);
  const found = { job, run: 1, kind: "link" as const, parent: null, depth, root: urls[0] ?? null };
  return { domain: first.domain, link: { ...found, redirects: 0, urls: [...urls] } };
}
