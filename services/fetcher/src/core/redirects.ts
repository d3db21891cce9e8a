import { canonicalize, type CanonicalOptions, type CanonicalUrl } from "@sluice/web";

/** Where a redirect leads: canonical, or why it can't be followed. */
export function redirectTarget(
  location: string,
  from: string,
  options?: CanonicalOptions,
): CanonicalUrl | null {
  const url = canonicalize(location, from, options);
  return url.kind === "url" ? url : null;
}
