/** Apache Kafka in a container, where a Docker engine really answers. */
import { createHash } from "node:crypto";
import path from "node:path";
import { failureOf, runCommand } from "./command.ts";
import { freePort } from "./free-port.ts";
import { awaitKafka } from "./kafka-probe.ts";
import { serverSettings, toImageEnvironment } from "./server-settings.ts";

const infoMs = 3_000;
const pullMs = 600_000;
const commandMs = 60_000;
const startMs = 120_000;
/** Where the image apache/kafka has a volume that its user may write. */
const logDir = "/var/lib/kafka/data";

export interface ContainerSetup {
  readonly image: string;
  readonly dataDir: string;
  readonly env: NodeJS.ProcessEnv;
  readonly log: (line: string) => void;
}

export interface RunningContainer {
  readonly name: string;
  readonly port: number;
}

export type ContainerStart =
  | { readonly kind: "running"; readonly container: RunningContainer }
  | { readonly kind: "failed"; readonly reason: string };

/** Why no Docker engine can be used, in one line; undefined where one answers. */
export async function dockerFailure(env: NodeJS.ProcessEnv): Promise<string | undefined> {
  // Some versions of docker end with 0 although no engine answered: only a version is proof.
  const result = await docker(env, infoMs, "info", "--format", "{{.ServerVersion}}");
  if (result.kind === "not-found") return "docker was not found";
  const failure = failureOf("docker info", result);
  if (failure !== undefined) return failure;
  return result.kind === "ended" && /^\d/.test(result.stdout.trim())
    ? undefined
    : "docker info shows no engine";
}

/** Container and volume are named after the data folder, so that each folder has its own Kafka. */
export function containerName(dataDir: string): string {
  return `sluice-kafka-${createHash("sha256").update(path.resolve(dataDir)).digest("hex").slice(0, 12)}`;
}

/** Why the image cannot be had; undefined where it is there or was pulled. */
export async function imageFailure(setup: Omit<ContainerSetup, "dataDir">): Promise<string | undefined> {
  const present = failureOf("docker", await docker(setup.env, commandMs, "image", "inspect", setup.image));
  if (present === undefined) return undefined;
  setup.log(`Pulling the container image ${setup.image} (once) ...`);
  return failureOf(
    `docker pull ${setup.image}`,
    await docker(setup.env, pullMs, "pull", "--quiet", setup.image),
  );
}

export async function startContainer(setup: ContainerSetup, port: number | null): Promise<ContainerStart> {
  const pullFailure = await imageFailure(setup);
  if (pullFailure !== undefined) return { kind: "failed", reason: pullFailure };
  const name = containerName(setup.dataDir);
  const container = { name, port: await freePort(port) };
  await docker(setup.env, commandMs, "rm", "--force", name);
  const args = ["run", "--detach", "--name", name, "--volume", `${name}:${logDir}`];
  args.push(
    "--publish",
    `127.0.0.1:${container.port}:${container.port}`,
    ...environmentOf(container.port),
    setup.image,
  );
  const failure =
    failureOf("docker run", await docker(setup.env, commandMs, ...args)) ??
    (await awaitKafka([`127.0.0.1:${container.port}`], {
      timeoutMs: startMs,
      untilTopicsCanBeCreated: true,
    }));
  if (failure === undefined) return { kind: "running", container };
  await docker(setup.env, commandMs, "rm", "--force", name);
  return { kind: "failed", reason: failure };
}

export async function containerRuns(container: RunningContainer, env: NodeJS.ProcessEnv): Promise<boolean> {
  const result = await docker(env, commandMs, "inspect", "--format", "{{.State.Running}}", container.name);
  return result.kind === "ended" && result.code === 0 && result.stdout.trim() === "true";
}

/** Stops Kafka cleanly and removes the container; the volume with its data stays. */
export async function stopContainer(container: RunningContainer, env: NodeJS.ProcessEnv): Promise<void> {
  await docker(env, commandMs, "stop", "--time", "20", container.name);
  const failure = failureOf("docker rm", await docker(env, commandMs, "rm", "--force", container.name));
  if (failure !== undefined) throw new Error(failure);
}

/** What the image reads as its settings, as arguments of `docker run`. */
export function imageEnvironment(port: number): Readonly<Record<string, string>> {
  const controllerPort = port === 19_093 ? 19_094 : 19_093;
  return toImageEnvironment(serverSettings({ bindHost: "0.0.0.0", port, controllerPort, logDir }));
}

function environmentOf(port: number): readonly string[] {
  return Object.entries(imageEnvironment(port)).flatMap(([name, value]) => ["--env", `${name}=${value}`]);
}

function docker(
  env: NodeJS.ProcessEnv,
  timeoutMs: number,
  ...args: readonly string[]
): ReturnType<typeof runCommand> {
  return runCommand("docker", args, { env, timeoutMs });
}
