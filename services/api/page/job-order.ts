/** A job as it is typed into the form, and where on the form the API's objections belong. */

/** Names of the form's fields, in their order. */
export const formFields = ["seeds", "id", "scope", "maxPages", "maxDepth", "delayMs"] as const;
export type FormField = (typeof formFields)[number];
export type FormValues = Readonly<Record<FormField, string>>;

export interface FieldError {
  /** Path of the field in the body, e.g. `seeds.0`. */
  readonly field: string;
  readonly message: string;
}

/** Messages by the field that they belong to; the rest concerns the form. */
export interface PlacedErrors {
  readonly fields: ReadonlyMap<FormField, readonly string[]>;
  readonly rest: readonly string[];
}

const pathOf: Readonly<Record<Exclude<FormField, "seeds">, string>> = {
  id: "id",
  scope: "scope.kind",
  maxPages: "limits.maxPages",
  maxDepth: "limits.maxDepth",
  delayMs: "politeness.delayMs",
};

interface SeedLine {
  /** From 1, as an editor counts. */
  readonly line: number;
  readonly url: string;
}

const seedLines = (text: string): readonly SeedLine[] =>
  text
    .split("\n")
    .map((url, index) => ({ line: index + 1, url: url.trim() }))
    .filter(({ url }) => url !== "");

/** The body of the request. What is wrong in it is for the API to say: there is one place that knows the rules. */
export function orderBody(values: FormValues): Readonly<Record<string, unknown>> {
  const body: Record<string, unknown> = { seeds: seedLines(values.seeds).map(({ url }) => url) };
  for (const [name, path] of Object.entries(pathOf) as [Exclude<FormField, "seeds">, string][]) {
    const text = values[name].trim();
    if (text === "") continue;
    const [group = "", key] = path.split(".");
    const value = /^-?\d+(\.\d+)?$/.test(text) && name !== "id" ? Number(text) : text;
    if (key === undefined) body[group] = value;
    else body[group] = { ...(body[group] as object | undefined), [key]: value };
  }
  return body;
}

export function placeErrors(errors: readonly FieldError[], values: FormValues): PlacedErrors {
  const fields = new Map<FormField, readonly string[]>();
  const rest: string[] = [];
  const seeds = seedLines(values.seeds);
  for (const { field, message } of errors) {
    const name = formFieldOf(field);
    if (name === null) {
      rest.push(field === "body" ? message : `${field}: ${message}`);
      continue;
    }
    const line = name === "seeds" ? seeds[Number(/^seeds\.(\d+)$/.exec(field)?.[1] ?? -1)]?.line : undefined;
    const text = line === undefined ? message : `Line ${line}: ${message}`;
    fields.set(name, [...(fields.get(name) ?? []), text]);
  }
  return { fields, rest };
}

function formFieldOf(path: string): FormField | null {
  if (/^seeds(\.\d+)?$/.test(path)) return "seeds";
  const found = Object.entries(pathOf).find(([, each]) => each === path);
  return found === undefined ? null : (found[0] as FormField);
}
