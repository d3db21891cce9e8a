import { readFileSync } from "node:fs";
import { messageOf, SluiceError } from "@sluice/errors";
import type { z } from "zod";
import { commonSettings, type Setting } from "./settings.ts";

export { launcherVariables } from "./launcher-variables.ts";
export {
  apiSettings,
  commonSettings,
  fetcherSettings,
  frontierSettings,
  sinkSettings,
  type Setting,
} from "./settings.ts";
export { settingsByService } from "./settings-by-service.ts";
export { unknownVariables, type UnknownVariable } from "./unknown-variables.ts";

export type Settings = Readonly<Record<string, Setting>>;
export type Values<All extends Settings> = { readonly [Name in keyof All]: z.output<All[Name]["schema"]> };
export type CommonConfig = Values<typeof commonSettings>;
type Environment = Readonly<Record<string, string | undefined>>;

/** What is wrong with one setting, and the variable that has to be changed. */
interface Problem {
  readonly variable: string;
  readonly text: string;
}

/** The text of a setting, from the variable that has it; `text` is undefined where none is set. */
interface Found {
  readonly variable: string;
  readonly text: string | undefined;
}

/**
 * Reads settings from the environment. All problems are named at once, each with its variable: missing, not
 * allowed, or at odds with another setting.
 * @throws SluiceError SLUICE_CONFIG_INVALID, one line for each problem
 */
export function readConfig<All extends Settings>(settings: All, env: Environment): Values<All> {
  const values: Record<string, unknown> = {};
  const places = new Map<string, Found>();
  const problems: Problem[] = [];
  for (const [name, setting] of Object.entries(settings)) {
    const found = find(setting, env);
    if ("problem" in found) {
      problems.push(found.problem);
      continue;
    }
    const parsed = setting.schema.safeParse(found.text);
    if (parsed.success) {
      values[name] = parsed.data;
      places.set(name, found);
    } else {
      const why = parsed.error.issues.map(({ message }) => message).join("; ");
      problems.push({ variable: found.variable, text: `${stateOf(found, setting)}: ${why}` });
    }
  }
  for (const [name, found] of places) {
    const setting = settings[name];
    const why = setting?.rule?.(values[name], values) ?? null;
    if (setting === undefined || why === null) continue;
    problems.push({ variable: found.variable, text: `${stateOf(found, setting)}: ${why}` });
  }
  const [first] = problems;
  if (first === undefined) return values as Values<All>;
  const lines = problems.map(({ variable, text }) => `${variable} ${text}`);
  throw new SluiceError("SLUICE_CONFIG_INVALID", lines.join("\n"), { field: first.variable });
}

/** The first name that is set; an empty value counts as none, as a container's environment can't leave one out. */
function find(
  { env: variable, aliases = [], secret = false }: Setting,
  env: Environment,
): Found | { readonly problem: Problem } {
  const isSet = (name: string): boolean => env[name] !== undefined && env[name] !== "";
  const named = [variable, ...aliases].find(isSet);
  const file = secret ? [variable, ...aliases].map(fileVariable).find(isSet) : undefined;
  if (file === undefined)
    return { variable: named ?? variable, text: named === undefined ? undefined : env[named] };
  if (named !== undefined)
    return { problem: { variable: named, text: `and ${file} are both set; one of them has to go` } };
  try {
    return { variable: file, text: textOfFile(env[file] ?? "") };
  } catch (error) {
    return { problem: { variable: file, text: `names a file that can't be read: ${messageOf(error)}` } };
  }
}

/** Where a secret may also lie: the convention of container images for mounted secrets. */
export const fileVariable = (variable: string): string => `${variable}_FILE`;

/** The one line break at the end that editors and `echo` leave is no part of a secret. */
function textOfFile(path: string): string | undefined {
  const text = readFileSync(path, "utf8").replace(/\r?\n$/, "");
  return text === "" ? undefined : text;
}

function stateOf({ text }: Found, { secret = false }: Setting): string {
  if (text === undefined) return "is not set";
  return secret ? "has a value that is not allowed" : `is ${JSON.stringify(text)}`;
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
