/** The compose file as it is where no variable is set. */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parse } from "yaml";
import { z } from "zod";

export const root = resolve(import.meta.dirname, "../..");
export const readText = (path: string): string => readFileSync(join(root, path), "utf8");

const text = z.string().min(1);
const seconds = z.string().regex(/^\d+s$/);
const size = z.string().regex(/^\d+[mg]$/);

/** The keys of the Compose Specification that the file uses; another one is a slip, which Compose would refuse. */
const serviceSchema = z.strictObject({
  image: text,
  build: z.strictObject({ context: text, dockerfile: text, args: z.record(text, text) }).optional(),
  command: z.array(text).optional(),
  /** Null: passed on from the caller's environment where it is set there. */
  environment: z.record(text, z.string().nullable()).optional(),
  restart: z.enum(["unless-stopped", "on-failure"]),
  stop_grace_period: seconds.optional(),
  depends_on: z
    .record(
      text,
      z.strictObject({ condition: z.enum(["service_healthy", "service_completed_successfully"]) }),
    )
    .optional(),
  healthcheck: z
    .union([
      z.strictObject({ disable: z.literal(true) }),
      z.strictObject({
        test: z.tuple([z.literal("CMD")], text),
        interval: seconds,
        timeout: seconds,
        retries: z.int(),
        start_period: seconds,
      }),
    ])
    .optional(),
  ports: z.array(text).optional(),
  volumes: z.array(text).optional(),
  tmpfs: z.array(text).optional(),
  read_only: z.boolean().optional(),
  cap_drop: z.array(text).optional(),
  security_opt: z.array(text).optional(),
  network_mode: z.literal("none").optional(),
  mem_limit: size,
  cpus: z.number().optional(),
  logging: z.strictObject({ driver: text, options: z.record(text, text) }),
});

const composeSchema = z.strictObject({
  name: text,
  services: z.record(text, serviceSchema),
  volumes: z.record(text, z.null()),
});

export type ComposeService = z.output<typeof serviceSchema>;
export type Compose = z.output<typeof composeSchema>;

/** `${NAME:-value}` as it is with these variables, and `$$` as the container gets it. */
export function interpolate(text: string, variables: Readonly<Record<string, string>> = {}): string {
  return text
    .replaceAll(
      /\$\{([A-Z_]+):-([^}]*)\}/g,
      (_, name: string, fallback: string) => variables[name] || fallback,
    )
    .replaceAll("$$", "$");
}

/** Throws where the file has a key or a value that it may not have. */
export function readCompose(variables: Readonly<Record<string, string>> = {}): Compose {
  const file = parse(interpolate(readText("docker-compose.yml"), variables), { merge: true }) as object;
  // Extensions are there to be merged into services and mean nothing by themselves.
  return composeSchema.parse(
    Object.fromEntries(Object.entries(file).filter(([key]) => !key.startsWith("x-"))),
  );
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
