import { canonicalize, type CanonicalUrl } from "@sluice/web";

/** Where a redirect leads: canonical, or why it can't be followed. */
export function redirectTarget(location: string, from: string): CanonicalUrl | null {
  const url = canonicalize(location, from);
  return url.kind === "url" ? url : null;
}
