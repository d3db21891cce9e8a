/** The images of a test: built here, on a base that is made here where none is named. */
import { execFile, spawnSync } from "node:child_process";
import { promisify } from "node:util";
import { readCompose, root, serviceOf } from "./compose.ts";

const run = promisify(execFile);
const outputMax = 64 * 1024 * 1024;
/** Of one build, with packages that come over a slow line. */
const buildMs = 600_000;
const infoMs = 10_000;

/** Why no container can be started here, in one line; undefined where an engine answers. */
export function engineFailure(): string | undefined {
  const { error, stdout, stderr } = spawnSync("docker", ["info", "--format", "{{.ServerVersion}}"], {
    encoding: "utf8",
    timeout: infoMs,
  });
  if (error !== undefined) return `docker can't be run: ${error.message}`;
  // Some versions of docker end with 0 although no engine answered.
  if (/^\d/.test(stdout.trim())) return undefined;
  return `no engine answers: ${stderr.trim().split("\n")[0] ?? ""}`;
}

export async function docker(...args: readonly string[]): Promise<string> {
  const { stdout } = await run("docker", args, { cwd: root, maxBuffer: outputMax, timeout: buildMs });
  return stdout;
}

export interface Images {
  readonly kafka: string;
  /** Of a service, by its name. */
  readonly service: (name: string) => string;
}

/**
 * Builds the images of the named services, as the header of the Dockerfile says, and has one of Kafka. Images of
 * SLUICE_BASE_IMAGE and SLUICE_KAFKA_IMAGE are used where they are named.
 */
export async function buildImages(services: readonly string[]): Promise<Images> {
  const base = process.env["SLUICE_BASE_IMAGE"] ?? (await localBase("sluice-test/base"));
  const kafka = process.env["SLUICE_KAFKA_IMAGE"] ?? (await localKafka());
  const registry = (await run("npm", ["config", "get", "registry"], { cwd: root })).stdout.trim();
  const compose = readCompose();
  for (const name of services) {
    // A registry may be reachable from this machine only.
    const args = ["build", "--quiet", "--network", "host", "--file", "deploy/Dockerfile"];
    for (const [key, value] of Object.entries({
      SERVICE: name,
      BASE_IMAGE: base,
      NPM_CONFIG_REGISTRY: registry,
    }))
      args.push("--build-arg", `${key}=${value}`);
    await docker(...args, "--tag", serviceOf(compose, name).image.replace("sluice/", "sluice-test/"), ".");
  }
  return { kafka, service: (name) => serviceOf(compose, name).image.replace("sluice/", "sluice-test/") };
}

async function localBase(tag: string, ...more: readonly string[]): Promise<string> {
  await run("tests/docker/base-image.sh", [tag, process.execPath, ...more], { cwd: root });
  return tag;
}

async function localKafka(): Promise<string> {
  const base = await localBase("sluice-test/java-base", "java");
  await run("tests/docker/kafka-image.sh", [base, "sluice-test/kafka"], { cwd: root, timeout: buildMs });
  return "sluice-test/kafka";
}
