import { fileVariable, launcherVariables, settingsByService, type Setting } from "@sluice/config";
import { z } from "zod";
import { typeText, type JsonSchema } from "./json-schema.ts";
import { code, page, table } from "./markdown.ts";

export { launcherVariables };

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
    "Services read their settings from the environment and log them when they start, secrets left out. A value that is not allowed, or at odds with another setting, ends the process with exit code 2 and a message that names every variable at fault. A variable that looks like a setting and is none is warned of, with the nearest name. Brokers that refuse the login or the certificate end the process in the same way; brokers that are away are waited for.",
    "A secret may also be the content of a file, which the variable with `_FILE` behind its name tells: for secrets that Docker or Kubernetes mount.",
    ...sections,
    "## The commands crawl and up",
    "They set the variables above for the services that they start, and read these themselves.",
    table(
      ["variable", "meaning"],
      Object.entries(launcherVariables).map(([name, about]) => [code(name), about]),
    ),
  );
}

function row({ env, schema, about, aliases = [], secret }: Setting): readonly string[] {
  const also = aliases.length === 0 ? "" : ` Also understood: ${aliases.map(code).join(", ")}.`;
  const hidden = secret === true ? ` Never logged. From a file: ${code(fileVariable(env))}.` : "";
  return [code(env), defaultText(schema), valuesText(schema), `${about}${also}${hidden}`];
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
  if (["", "a,b"].some((each) => typeof schema.safeParse(each).data === "object")) return "list with commas";
  const text = typeText(json);
  return text === "string" ? "text" : text;
}
