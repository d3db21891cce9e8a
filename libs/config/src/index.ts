import { SluiceError } from "@sluice/errors";
import type { z } from "zod";
import { commonSettings, type Setting } from "./settings.ts";

export {
  apiSettings,
  commonSettings,
  fetcherSettings,
  frontierSettings,
  settingsByService,
  sinkSettings,
  type Setting,
} from "./settings.ts";

type Settings = Readonly<Record<string, Setting>>;
export type Values<All extends Settings> = { readonly [Name in keyof All]: z.output<All[Name]["schema"]> };
export type CommonConfig = Values<typeof commonSettings>;

/** Reads settings from the environment. All problems are named at once, each with its variable. */
export function readConfig<All extends Settings>(
  settings: All,
  env: Readonly<Record<string, string | undefined>>,
): Values<All> {
  const values: Record<string, unknown> = {};
  const problems: string[] = [];
  let field: string | undefined;
  for (const [name, { env: variable, aliases = [], schema, secret }] of Object.entries(settings)) {
    const found = [variable, ...aliases].find((each) => env[each] !== undefined && env[each] !== "");
    const parsed = schema.safeParse(found === undefined ? undefined : env[found]);
    if (parsed.success) {
      values[name] = parsed.data;
      continue;
    }
    const given =
      found === undefined
        ? "is not set"
        : secret === true
          ? "has a value that is not allowed"
          : `is ${JSON.stringify(env[found])}`;
    problems.push(
      `${found ?? variable} ${given}: ${parsed.error.issues.map((issue) => issue.message).join("; ")}`,
    );
    field ??= found ?? variable;
  }
  if (problems.length > 0) {
    throw new SluiceError("SLUICE_CONFIG_INVALID", problems.join("\n"), field === undefined ? {} : { field });
  }
  return values as Values<All>;
}

/** Settings as they may be shown: secrets left out. */
export function shown<All extends Settings>(settings: All, values: Values<All>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(settings).map(([name, { env, secret }]) => [
      env,
      secret === true ? "(secret)" : values[name as keyof All],
    ]),
  );
}
