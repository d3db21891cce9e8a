/** The header of each request. */

export interface RequestHeaderOptions {
  readonly userAgent: string;
  readonly acceptLanguage?: string;
}

/** What the connection itself decides; a caller's value would contradict the message's framing or its host. */
const connectionFields = new Set([
  "host",
  "connection",
  "keep-alive",
  "content-length",
  "transfer-encoding",
  "upgrade",
  "expect",
  "te",
]);

/**
 * Field names and values in turn. No conditional fields: a crawler that asks "has it
 * changed?" says so itself, in `extra`.
 */
export function requestHeader(
  options: RequestHeaderOptions,
  extra: Readonly<Record<string, string>> = {},
): readonly string[] {
  const fields = new Map<string, string>([
    ["user-agent", options.userAgent],
    ["accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.5"],
    ["accept-language", options.acceptLanguage ?? "en,*;q=0.5"],
    ["accept-encoding", "gzip, deflate, br, zstd"],
  ]);
  for (const [name, value] of Object.entries(extra)) {
    const lower = name.toLowerCase();
    if (!connectionFields.has(lower)) fields.set(lower, value);
  }
  return [...fields].flat();
}
