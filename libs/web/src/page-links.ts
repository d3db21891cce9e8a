/** A page's references as absolute URLs, with little work for those that repeat or are plain. */

export type LinkKind = "a" | "area" | "link" | "iframe" | "frame" | "meta_refresh";

export interface PageLink {
  /** Absolute http or https URL, not yet canonical. */
  readonly url: string;
  /** The anchor's text or its images' alternative texts, blanks collapsed; empty for other kinds. */
  readonly text: string;
  /** rel holds "nofollow". */
  readonly nofollow: boolean;
  readonly kind: LinkKind;
  /** The rel attribute in lower case, blanks collapsed; null where there is none. */
  readonly rel: string | null;
}

/** A reference whose only change is to put the origin before it: one leading slash and no dot segments. */
const plainPath = /^(?:\/(?![./])[\w\-.~!$&'()*+,;=:@%]*)+(?:\?[\w\-.~!$&()*+,;=:@%/?]*)?$/;

/** References remembered: those that repeat do so soon. */
const knownMax = 4_096;

/**
 * Makes a function that resolves references against `base`: to an absolute URL, or to null for what is no URL or has
 * another scheme than http and https.
 */
export function linkResolver(base: URL | null): (raw: string) => string | null {
  const known = new Map<string, string | null>();
  return (raw) => {
    const hit = known.get(raw);
    if (hit !== undefined) return hit;
    const url = base !== null && plainPath.test(raw) ? base.origin + raw : parsed(raw, base);
    if (known.size < knownMax) known.set(raw, url);
    return url;
  };
}

function parsed(raw: string, base: URL | null): string | null {
  const url = URL.parse(raw, base?.href);
  return url !== null && isWeb(url) ? url.href : null;
}

/** Whether the URL's scheme is http or https. */
export function isWeb(url: URL): boolean {
  return url.protocol === "http:" || url.protocol === "https:";
}
