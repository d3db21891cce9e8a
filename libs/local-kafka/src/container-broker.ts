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
/** Asking the engine starts a process each time. */
const askAgainMs = 1_000;
const startsMax = 3;
/** 128 + SIGKILL. */
const killedCode = "137";
/** As much as the local JVM gets; the image's own default takes 1 GB from the start. */
const heapOptions = "-Xmx512m";
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

/** Starts Kafka on the volume of `dataDir`, at `port` where that is free, else at another one. */
export async function startContainer(setup: ContainerSetup, port: number | null): Promise<ContainerStart> {
  const pullFailure = await imageFailure(setup);
  if (pullFailure !== undefined) return { kind: "failed", reason: pullFailure };
  const name = containerName(setup.dataDir);
  // One that was left behind would hold the name, the volume and the port.
  await removeContainer(name, setup.env);
  for (let start = 1; ; start += 1) {
    const container = { name, port: await freePort(start === 1 ? port : null) };
    const failure =
      failureOf("docker run", await docker(setup.env, commandMs, ...runArguments(setup, container))) ??
      (await awaitKafka([`127.0.0.1:${container.port}`], {
        timeoutMs: startMs,
        untilTopicsCanBeCreated: true,
        givenUp: containerEnd(name, setup.env),
      }));
    if (failure === undefined) return { kind: "running", container };
    await removeContainer(name, setup.env);
    const portLost = /already in use|already allocated/i.test(failure);
    if (!portLost || start === startsMax) return { kind: "failed", reason: failure };
  }
}

function runArguments(setup: ContainerSetup, { name, port }: RunningContainer): readonly string[] {
  const args = ["run", "--detach", "--name", name, "--volume", `${name}:${logDir}`];
  // Published on loopback only: this Kafka asks nobody for a password.
  args.push("--publish", `127.0.0.1:${port}:${port}`, ...environmentOf(port), setup.image);
  return args;
}

export async function containerRuns(container: RunningContainer, env: NodeJS.ProcessEnv): Promise<boolean> {
  const result = await docker(env, commandMs, "inspect", "--format", "{{.State.Running}}", container.name);
  return result.kind === "ended" && result.code === 0 && result.stdout.trim() === "true";
}

/**
 * Tells why a container has ended, with the last it wrote; undefined while it runs, and where the engine does not
 * say. For `givenUp` of {@link awaitKafka}: asks the engine at most once in a second.
 */
export function containerEnd(nameOrId: string, env: NodeJS.ProcessEnv): () => Promise<string | undefined> {
  let askAtMs = 0;
  const format = "{{.State.Running}} {{.State.ExitCode}}";
  return async () => {
    if (performance.now() < askAtMs) return undefined;
    const result = await docker(env, commandMs, "inspect", "--format", format, nameOrId);
    askAtMs = performance.now() + askAgainMs;
    if (result.kind !== "ended" || result.stdout.startsWith("true")) return undefined;
    if (result.code !== 0) return failureOf("docker inspect", result);
    const code = result.stdout.trim().split(" ")[1] ?? "unknown";
    // A killed one had no time for words.
    const words = code === killedCode ? "" : await lastWords(nameOrId, env);
    return `the container ended with exit code ${code}${words}`;
  };
}

async function lastWords(nameOrId: string, env: NodeJS.ProcessEnv): Promise<string> {
  const logs = await docker(env, commandMs, "logs", "--tail", "40", nameOrId);
  if (logs.kind !== "ended") return "";
  const lines = `${logs.stdout}\n${logs.stderr}`.split("\n").filter((line) => line.trim() !== "");
  const telling = lines.filter((line) => /ERROR|FATAL|Exception|Error/.test(line));
  const words = (telling.length > 0 ? telling : lines).slice(-3).join(" | ").slice(0, 1_000);
  return words === "" ? "" : `: ${words}`;
}

/** With its unnamed volumes, which the image declares beside the data; the named one stays. */
async function removeContainer(name: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  return failureOf("docker rm", await docker(env, commandMs, "rm", "--force", "--volumes", name));
}

/** Stops Kafka cleanly and removes the container; the volume with its data stays. */
export async function stopContainer(container: RunningContainer, env: NodeJS.ProcessEnv): Promise<void> {
  // The long name of this option has changed; the short one is in every version.
  await docker(env, commandMs, "stop", "-t", "20", container.name);
  const failure = await removeContainer(container.name, env);
  if (failure !== undefined) throw new Error(failure);
}

/** What the image reads as its settings, as arguments of `docker run`. */
export function imageEnvironment(port: number): Readonly<Record<string, string>> {
  const controllerPort = port === 19_093 ? 19_094 : 19_093;
  const settings = serverSettings({ bindHost: "0.0.0.0", port, controllerPort, logDir });
  // The JVM's own options come by the same way as the settings.
  return toImageEnvironment({ ...settings, "heap.opts": heapOptions });
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
