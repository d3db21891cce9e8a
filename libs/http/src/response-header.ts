/** The header of a response in the form of the answer. */

export interface ResponseHeader {
  readonly status: number;
  readonly fields: Readonly<Record<string, string>>;
  readonly setCookies: readonly string[];
  readonly location: string | null;
  /** Of the coded body, where the server says it. */
  readonly contentLength: number | null;
}

/** `fields` as undici gives them: names in lower case, bytes as Latin-1. */
export function parseResponseHeader(
  status: number,
  fields: Readonly<Record<string, string | string[] | undefined>>,
): ResponseHeader {
  // Without a prototype, a host that sends `__proto__` or `constructor` gets a field of that name and nothing else.
  const joined = Object.create(null) as Record<string, string>;
  let setCookies: readonly string[] = [];
  let location: string | null = null;
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    const values = typeof value === "string" ? [value] : value;
    if (name === "set-cookie") setCookies = values;
    else joined[name] = values.join(name === "x-robots-tag" ? "\n" : ", ");
    if (name === "location") location = utf8Or(values[0] ?? "");
  }
  const length = joined["content-length"];
  const contentLength = length !== undefined && /^\d{1,15}$/.test(length) ? Number(length) : null;
  return { status, fields: joined, setCookies, location, contentLength };
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** Servers put raw UTF-8 into `Location`, and browsers follow it; other bytes stay Latin-1. */
function utf8Or(latin1: string): string {
  try {
    return utf8.decode(Buffer.from(latin1, "latin1"));
  } catch {
    return latin1;
  }
}
