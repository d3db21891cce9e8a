/** One page under any number of session ids. */
import { isSessionId, withoutSessionPath } from "./url-noise.ts";
import { recanonicalize, type CanonicalOptions, type CanonicalUrl } from "./url.ts";

/** The URL without its session ids, by which its page is known; null where it has none. */
export function withoutSessionId(url: CanonicalUrl, options: CanonicalOptions = {}): CanonicalUrl | null {
  const [pathname = "", query = ""] = url.path.split("?", 2);
  const has = withoutSessionPath(pathname) !== pathname || query.split("&").some(isSessionId);
  if (!has) return null;
  const plain = recanonicalize(url, { ...options, dropSessionIds: true });
  return plain.urlId === url.urlId ? null : plain;
}
