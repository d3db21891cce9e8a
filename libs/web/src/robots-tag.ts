/** What a page's own robots directives ask for: the X-Robots-Tag header and the content of meta robots. */

export interface RobotsFlags {
  readonly noindex: boolean;
  readonly nofollow: boolean;
  readonly noarchive: boolean;
}

/** No directive given: everything is allowed. */
export const noRobotsFlags: RobotsFlags = { noindex: false, nofollow: false, noarchive: false };

/**
 * The directives of X-Robots-Tag that are for everyone or for `agentToken`; those of both count.
 * @param headers the header lines, each a string or a line of one. A name and colon make what follows them in the line
 * that crawler's.
 */
export function robotsTag(
  headers: string | readonly string[] | null | undefined,
  agentToken: string,
): RobotsFlags {
  const own = agentToken.toLowerCase();
  let flags = noRobotsFlags;
  for (const header of typeof headers === "string" ? headers.split("\n") : (headers ?? [])) {
    let isOurs = true;
    for (const item of header.split(",")) {
      const colon = item.indexOf(":");
      const name = item.slice(0, Math.max(colon, 0)).trim().toLowerCase();
      const isAgent = agentName.test(name) && !valuedDirectives.has(name);
      if (isAgent) isOurs = name === own || name === "*";
      if (isOurs) flags = withDirective(flags, isAgent ? item.slice(colon + 1) : item);
    }
  }
  return flags;
}

/** The directives in the content of `<meta name=robots>`, separated by commas (or, as many write, by blanks). */
export function robotsMeta(content: string): RobotsFlags {
  return content.split(/[,\s]+/).reduce(withDirective, noRobotsFlags);
}

/** What either asks for. */
export function unionOfFlags(a: RobotsFlags, b: RobotsFlags): RobotsFlags {
  return {
    noindex: a.noindex || b.noindex,
    nofollow: a.nofollow || b.nofollow,
    noarchive: a.noarchive || b.noarchive,
  };
}

const agentName = /^(?:\*|[a-z_][a-z0-9_.-]*)$/;

/** Directives that have a colon of their own. */
const valuedDirectives: ReadonlySet<string> = new Set([
  "unavailable_after",
  "max-snippet",
  "max-image-preview",
  "max-video-preview",
]);

function withDirective(flags: RobotsFlags, directive: string): RobotsFlags {
  switch (directive.trim().toLowerCase()) {
    case "none":
      return { ...flags, noindex: true, nofollow: true };
    case "noindex":
      return { ...flags, noindex: true };
    case "nofollow":
      return { ...flags, nofollow: true };
    case "noarchive":
      return { ...flags, noarchive: true };
    default:
      return flags;
  }
}
