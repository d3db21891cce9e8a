/** How a secret is written that jobs may name: a credential with the only origins that may see it. Never a record. */
import { z } from "zod";

/** RFC 9110 §5.5: what a field's value may be; anything else could end the field and begin another. */
export const fieldValueSchema = z
  .string()
  .min(1)
  .max(8000)
  .regex(/^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/);
const origin = z
  .string()
  .refine((text) => /^https?:/.test(text) && URL.parse(text)?.origin === text, "scheme://host[:port]");

const bound = { origins: z.array(origin).min(1).max(100) };
/** RFC 7617 §2: the user can't have a colon. */
const user = z.string().regex(/^[^:\p{Cc}]{0,200}$/u);
const password = z.string().regex(/^\P{Cc}{0,1000}$/u);

export const boundSecretSchema = z.discriminatedUnion("kind", [
  z.strictObject({ ...bound, kind: z.literal("basic"), user, password }),
  z.strictObject({ ...bound, kind: z.literal("bearer"), token: fieldValueSchema }),
  z.strictObject({ ...bound, kind: z.literal("cookie"), cookie: fieldValueSchema }),
  z.strictObject({
    ...bound,
    kind: z.literal("header"),
    header: z.string().regex(/^[a-z0-9!#$%&'*+.^_`|~-]{1,100}$/),
    value: fieldValueSchema,
  }),
]);
