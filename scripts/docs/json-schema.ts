/** zod schemas as JSON Schema 2020-12, and parts of it as words. */
import { z } from "zod";

export interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly description?: string;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
}

/**
 * The schema that a writer has to meet: fields with a default may be left out, and unknown ones are allowed, since
 * later versions may add fields.
 */
export function jsonSchemaOf(schema: z.ZodType): JsonSchema {
  return z.toJSONSchema(schema, { io: "input", target: "draft-2020-12" }) as JsonSchema;
}

/** `integer`, `one of a, b`, `string or null`: what a value may be, for people. */
export function typeText(schema: JsonSchema): string {
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum !== undefined) return schema.enum.map(String).join(", ");
  const parts = schema.anyOf ?? schema.oneOf;
  if (parts !== undefined) return parts.map(typeText).join(" or ");
  const type = typeof schema.type === "string" ? schema.type : (schema.type ?? ["anything"]).join(" or ");
  if (type === "array") return `array of ${schema.items === undefined ? "anything" : typeText(schema.items)}`;
  if (type === "integer" || type === "number") return `${type}${rangeText(schema)}`;
  return type;
}

/** The largest integer of JavaScript is no limit that anyone has set. */
function rangeText({ minimum, maximum, exclusiveMinimum }: JsonSchema): string {
  const least = minimum ?? (exclusiveMinimum === undefined ? undefined : exclusiveMinimum + 1);
  const hasLeast = least !== undefined && least > Number.MIN_SAFE_INTEGER;
  const hasMost = maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER;
  if (hasLeast && hasMost) return ` ${least} to ${maximum}`;
  if (hasLeast) return ` from ${least}`;
  return hasMost ? ` to ${maximum}` : "";
}
