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

/** The Content-Type header as values; null where it is missing or malformed. */
export function parseContentType(header: string | null | undefined): ContentType | null {
  const type = header ? MIMEType.parse(header) : null;
  if (type === null) return null;
  return {
    essence: type.essence,
    charset: type.parameters.get("charset") ?? null,
    isHtml: type.isHTML() || type.essence === "application/xhtml+xml",
    isXml: type.isXML(),
  };
}

/** Whether a response with this Content-Type is a page that can be scanned for links. */
export function isHtml(header: string | null | undefined): boolean {
  return parseContentType(header)?.isHtml ?? false;
}
