import { settingsByService, type Setting } from "@sluice/config";
import { z } from "zod";
import { typeText, type JsonSchema } from "./json-schema.ts";
import { code, page, table } from "./markdown.ts";

/** What the command `crawl` and the search for a Kafka read beside the settings of services. */
export const launcherVariables: Readonly<Record<string, string>> = {
  SLUICE_DATA_DIR:
    "Folder of the local Kafka, of locks on jobs and of logs; unset: `.sluice` in the repository.",
  SLUICE_KAFKA_IMAGE:
    "Container image that is started as Kafka; unset: `apache/kafka` in the pinned version.",
  SLUICE_FAILPOINTS:
    "For tests: failpoints by instance, for the first life of each, as with SLUICE_FAILPOINT.",
};

export function configPage(): string {
  const sections = Object.entries(settingsByService).flatMap(([group, settings]) => [
    `## ${group === "every service" ? "Every service" : group}`,
    table(
      ["variable", "default", "values", "meaning"],
      Object.values(settings as Readonly<Record<string, Setting>>).map(row),
    ),
  ]);
  return page(
    "Settings",
    "`libs/config/src/settings.ts`",
    "Services read their settings from the environment and log them when they start. A value that is not allowed ends the process with exit code 2 and a message that names every variable at fault.",
    ...sections,
    "## The command crawl",
    "It sets the variables above for the services that it starts, and reads these itself.",
    table(
      ["variable", "meaning"],
      Object.entries(launcherVariables).map(([name, about]) => [code(name), about]),
    ),
  );
}

function row({ env, schema, about, aliases = [], secret }: Setting): readonly string[] {
  const also = aliases.length === 0 ? "" : ` Also understood: ${aliases.map(code).join(", ")}.`;
  return [
    code(env),
    defaultText(schema),
    valuesText(schema),
    `${about}${also}${secret === true ? " Never logged." : ""}`,
  ];
}

function defaultText(schema: z.ZodType): string {
  const parsed = schema.safeParse(undefined);
  if (!parsed.success) return "required";
  const value = parsed.data;
  if (value === undefined || value === "" || (Array.isArray(value) && value.length === 0)) return "";
  return code(Array.isArray(value) ? value.join(",") : String(value));
}

function valuesText(schema: z.ZodType): string {
  const json = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as JsonSchema;
  if (json.pattern !== undefined) return `text like ${code(json.pattern)}`;
  if (typeof schema.safeParse("a,b").data === "object") return "list with commas";
  const text = typeText(json);
  return text === "string" ? "text" : text;
}
