import { topics } from "@sluice/records";
import { jsonSchemaOf, typeText, type JsonSchema } from "./json-schema.ts";
import { code, page, table } from "./markdown.ts";
import { schemaFileOf } from "./schema-files.ts";

export function eventsPage(): string {
  const { name, schema } = topics.events;
  const kinds = schema === null ? [] : (jsonSchemaOf(schema).oneOf ?? jsonSchemaOf(schema).anyOf ?? []);
  return page(
    "Events",
    "`libs/records/src/event.ts`",
    `What happens in a job, in the topic ${code(name)} under the job's id, as [JSON Schema](schemas/${schemaFileOf(name)}). The last event of a job comes after all its results.`,
    ...kinds.flatMap((kind) => [`## ${String(kind.properties?.["type"]?.const)}`, fields(kind)]),
  );
}

function fields(kind: JsonSchema): string {
  const rows = Object.entries(kind.properties ?? {}).filter(([field]) => field !== "type");
  return table(
    ["field", "value", "meaning"],
    rows.map(([field, schema]) => [code(field), typeText(schema), schema.description ?? ""]),
  );
}
