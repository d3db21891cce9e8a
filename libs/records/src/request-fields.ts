/** Header fields that a job may ask to be sent, and names of the secrets that it may not spell out. */
import { z } from "zod";

/** The connection decides them; another value would contradict the message's framing or its host (RFC 9110 §7). */
const framingFields = [
  "host",
  "connection",
  "keep-alive",
  "content-length",
  "transfer-encoding",
  "upgrade",
  "expect",
  "te",
  "trailer",
] as const;

/** They are credentials, and what a job says lies in topics that others may read. */
const credentialFields = ["authorization", "proxy-authorization", "cookie", "cookie2"] as const;

/** What the client can do decides them: it could not read another answer, or would read it wrongly. */
const clientFields = ["accept-encoding", "range", "if-range"] as const;

const refused: ReadonlySet<string> = new Set([...framingFields, ...credentialFields, ...clientFields]);

/** Why a header field is not sent as asked for; null where it is. `name` in any case. */
export function fieldRefusal(name: string): string | null {
  const lower = name.toLowerCase();
  if ((credentialFields as readonly string[]).includes(lower))
    return `${lower} is a credential: name a secret in its place`;
  if (refused.has(lower) || lower.startsWith("proxy-")) return `${lower} is set by the fetcher alone`;
  return null;
}

const fieldsMax = 20;

/** Names and values of header fields (RFC 9110 §5.1, §5.5): tokens and printable ASCII, so nothing can be injected. */
export const requestFieldsSchema = z
  .record(
    z
      .string()
      .max(100)
      .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, "a field name of RFC 9110")
      .superRefine((name, context) => {
        const message = fieldRefusal(name);
        if (message !== null) context.addIssue({ code: "custom", message });
      }),
    z
      .string()
      .max(1000)
      .regex(/^([\x21-\x7e]([\x20-\x7e\t]*[\x21-\x7e])?)?$/, "printable ASCII without space at its ends"),
  )
  .refine((fields) => Object.keys(fields).length <= fieldsMax, `at most ${fieldsMax} fields`);

/** Lower case, so that a file and an environment variable can both carry the name. */
export const secretNameSchema = z
  .string()
  .regex(/^[a-z][a-z0-9_]{0,49}$/, "lower-case letters, digits and '_', beginning with a letter");
