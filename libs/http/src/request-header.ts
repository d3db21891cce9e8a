/** The header of each request. */
import { fieldRefusal } from "@sluice/records";

export interface RequestHeaderOptions {
  readonly userAgent: string;
  readonly acceptLanguage?: string;
}

/** A header field that only one origin may see. */
export interface Credential {
  /** As `URL.origin` writes it: scheme, host and port all count. */
  readonly origin: string;
  /** In lower case: `authorization`, `cookie` or one of the host's own. */
  readonly field: string;
  readonly value: string;
}

/**
 * Field names and values in turn. No conditional fields: a crawler that asks "has it
 * changed?" says so itself, in `extra`. What frames the message or carries credentials is not taken from there: a
 * credential is sent to its own origin and to no other, whoever asks.
 */
export function requestHeader(
  options: RequestHeaderOptions,
  extra: Readonly<Record<string, string>> = {},
  origin = "",
  credentials: readonly Credential[] = [],
): readonly string[] {
  const fields = new Map<string, string>([
    ["user-agent", options.userAgent],
    ["accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.5"],
    ["accept-language", options.acceptLanguage ?? "en,*;q=0.5"],
    ["accept-encoding", "gzip, deflate, br, zstd"],
  ]);
  for (const [name, value] of Object.entries(extra)) {
    if (fieldRefusal(name) === null) fields.set(name.toLowerCase(), value);
  }
  for (const credential of credentials)
    if (credential.origin === origin) fields.set(credential.field, credential.value);
  return [...fields].flat();
}
