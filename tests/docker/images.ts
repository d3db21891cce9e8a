/** The images of a test: built here, on a base that is made here where none is named. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { promisify } from "node:util";
import { readCompose, readText, root, serviceOf } from "./compose.ts";
import { docker } from "./engine.ts";

const run = promisify(execFile);
/** Of one build, with packages that come over a slow line. */
const buildMs = 600_000;

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

/** Made anew only where what makes it has changed: the layers that lie on it then stay, too. */
async function localBase(name: string, ...more: readonly string[]): Promise<string> {
  const script = "tests/docker/base-image.sh";
  return made(`${name}:${hashOf(readText(script), process.version)}`, script, (tag) => [
    tag,
    process.execPath,
    ...more,
  ]);
}

async function localKafka(): Promise<string> {
  const base = await localBase("sluice-test/java-base", "java");
  const script = "tests/docker/kafka-image.sh";
  const tag = `sluice-test/kafka:${hashOf(readText(script), base, readText("deploy/kafka/jars.sha256"))}`;
  return made(tag, script, () => [base, tag]);
}

async function made(tag: string, script: string, args: (tag: string) => readonly string[]): Promise<string> {
  const present = await docker("image", "inspect", tag).then(
    () => true,
    () => false,
  );
  if (!present) await run(script, args(tag), { cwd: root, timeout: buildMs });
  return tag;
}

function hashOf(...parts: readonly string[]): string {
  return createHash("sha256").update(parts.join("\0")).digest("hex").slice(0, 12);
}
