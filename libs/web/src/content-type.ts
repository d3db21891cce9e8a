/** What kind of document a response is, by its Content-Type (WHATWG MIME Sniffing). */
import { MIMEType } from "whatwg-mimetype";

export interface ContentType {
  /** `type/subtype` in lower case, e.g. `text/html`. */
  readonly essence: string;
  /** The charset parameter as given, null where there is none. */
  readonly charset: string | null;
  /** text/html or application/xhtml+xml: a page that can be scanned for links. */
  readonly isHtml: boolean;
  /** Any XML type, XHTML included. */
  readonly isXml: boolean;
}

/**
 * The Content-Type header as values; null where it is missing or malformed. Of a field that was sent more than once the
 * last type counts, with the charset of one before that is the same type (Fetch, "extract a MIME type").
 */
export function parseContentType(header: string | null | undefined): ContentType | null {
  return valuesOf(header ?? "").reduce<ContentType | null>(
    (before, value) => typeOf(value, before) ?? before,
    null,
  );
}

function typeOf(value: string, before: ContentType | null): ContentType | null {
  const type = MIMEType.parse(value);
  if (type === null || type.essence === "*/*") return null;
  const { essence } = type;
  return {
    essence,
    charset: type.parameters.get("charset") ?? (before?.essence === essence ? before.charset : null),
    isHtml: type.isHTML() || essence === "application/xhtml+xml",
    isXml: type.isXML(),
  };
}

/** Commas part values, but for those in a quoted string. */
const valuesOf = (header: string): readonly string[] =>
  header.includes(",") ? (header.match(/(?:[^,"]|"(?:[^"\\]|\\[^])*"?)+/g) ?? []) : [header];

/** Whether a response with this Content-Type is a page that can be scanned for links. */
export function isHtml(header: string | null | undefined): boolean {
  return parseContentType(header)?.isHtml ?? false;
}
