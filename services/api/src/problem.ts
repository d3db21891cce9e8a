/** What the API answers when it can't do what was asked: problem details (RFC 9457). */
import { STATUS_CODES } from "node:http";
import { z } from "zod";

export const problemType = "application/problem+json";

export const problemSchema = z.object({
  type: z.string().describe("URI of the kind of problem; `about:blank` where the status says it all."),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  instance: z.string().describe("Path of the request."),
  errors: z
    .array(
      z.object({ field: z.string().describe("Path of the field, e.g. `seeds.0`."), message: z.string() }),
    )
    .describe("Each field at fault; empty where no field is."),
});
export type ProblemDetails = z.infer<typeof problemSchema>;
export type FieldError = ProblemDetails["errors"][number];

/** Thrown by handlers, answered as problem details. */
export class Problem extends Error {
  override readonly name = "Problem";
  readonly status: number;
  readonly errors: readonly FieldError[];
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    detail: string,
    errors: readonly FieldError[] = [],
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(detail);
    this.status = status;
    this.errors = errors;
    this.headers = headers;
  }

  details(instance: string): ProblemDetails {
    return {
      type: "about:blank",
      title: STATUS_CODES[this.status] ?? "Error",
      status: this.status,
      detail: this.message,
      instance,
      errors: [...this.errors],
    };
  }
}

/** One problem that names a field. */
export function fieldProblem(status: number, field: string, message: string): Problem {
  return new Problem(status, `${field}: ${message}`, [{ field, message }]);
}

/** Every field that a schema found at fault; an unknown field is named itself, not the object it lies in. */
export function fieldErrors(error: z.ZodError): readonly FieldError[] {
  return error.issues.flatMap((issue) => {
    const at = issue.path.map(String);
    if (issue.code === "unrecognized_keys")
      return issue.keys.map((key) => ({
        field: [...at, key].join("."),
        message: "is not a field that is known",
      }));
    return [{ field: at.join(".") || "body", message: issue.message }];
  });
}
