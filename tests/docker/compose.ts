/** The compose file as it is where no variable is set. */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parse } from "yaml";

export const root = resolve(import.meta.dirname, "../..");
export const readText = (path: string): string => readFileSync(join(root, path), "utf8");

export interface ComposeService {
  readonly image: string;
  readonly build?: {
    readonly context: string;
    readonly dockerfile: string;
    readonly args: Readonly<Record<string, string>>;
  };
  readonly command?: readonly string[];
  /** Null: passed on from the caller's environment where it is set there. */
  readonly environment?: Readonly<Record<string, string | null>>;
  readonly restart: string;
  readonly stop_grace_period?: string;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: {
    readonly disable?: boolean;
    readonly test?: readonly string[];
    readonly interval?: string;
    readonly timeout?: string;
    readonly retries?: number;
    readonly start_period?: string;
  };
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly tmpfs?: readonly string[];
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly network_mode?: string;
  readonly mem_limit: string;
  readonly cpus?: number;
  readonly logging?: { readonly options: Readonly<Record<string, string>> };
  readonly container_name?: string;
}

export interface Compose {
  readonly name: string;
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

/** `${NAME:-value}` as it is with these variables, and `$$` as the container gets it. */
export function interpolate(text: string, variables: Readonly<Record<string, string>> = {}): string {
  return text
    .replaceAll(
      /\$\{([A-Z_]+):-([^}]*)\}/g,
      (_, name: string, fallback: string) => variables[name] || fallback,
    )
    .replaceAll("$$", "$");
}

export function readCompose(variables: Readonly<Record<string, string>> = {}): Compose {
  return parse(interpolate(readText("docker-compose.yml"), variables), { merge: true }) as Compose;
}

export function serviceOf(compose: Compose, name: string): ComposeService {
  const service = compose.services[name];
  if (service === undefined) throw new Error(`docker-compose.yml has no service ${name}`);
  return service;
}

/** Milliseconds of a duration such as `45s`; Compose has more units, the file uses this one. */
export function durationMs(text: string): number {
  const seconds = /^(\d+)s$/.exec(text)?.[1];
  if (seconds === undefined) throw new Error(`not a number of seconds: ${text}`);
  return Number(seconds) * 1000;
}

const sizeUnits: Readonly<Record<string, number>> = { m: 2 ** 20, g: 2 ** 30 };

/** Bytes of a size such as `512m` or `2g`. */
export function sizeBytes(text: string): number {
  const [, count, unit = ""] = /^(\d+)([mg])$/.exec(text) ?? [];
  const factor = sizeUnits[unit];
  if (count === undefined || factor === undefined) throw new Error(`not a size: ${text}`);
  return Number(count) * factor;
}
