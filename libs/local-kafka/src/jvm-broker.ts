/** Apache Kafka in a JVM of its own: formats its storage, starts it, stops it. */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  openSync,
  closeSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { archiveArguments, keepArchive, readingArchive } from "./class-archive.ts";
import { failureOf, runCommand } from "./command.ts";
import { freePort } from "./free-port.ts";
import { awaitKafka } from "./kafka-probe.ts";
import { awaitEnd, identify, isRunning, signalProcess } from "./process-identity.ts";
import type { ProcessIdentity } from "./process-identity.ts";
import { loggingProperties, serverSettings, toProperties } from "./server-settings.ts";
import type { Listener } from "./server-settings.ts";

/** A start takes 2–6 s; on a machine under heavy load, or after a crash with much data, far longer. */
const startMs = 120_000;
/** A clean stop takes under 1 s, the first one 4 s: see class-archive.ts. */
const stopMs = 20_000;

export interface JvmSetup {
  readonly java: string;
  /** What `java -version` says: a class archive fits one Java only. */
  readonly javaVersion: string;
  readonly jarsDir: string;
  readonly dataDir: string;
  readonly env: NodeJS.ProcessEnv;
  readonly security?: ServerSecurity;
}

/** TLS and passwords of a broker, for tests of them. */
export interface ServerSecurity {
  readonly listeners: readonly Listener[];
  readonly settings: Readonly<Record<string, string>>;
  /** Users of SCRAM, in the words of `kafka-storage format --add-scram`. */
  readonly scram: readonly string[];
}

export interface RunningJvm {
  readonly process: ProcessIdentity;
  readonly port: number;
}

export type JvmStart =
  | { readonly kind: "running"; readonly jvm: RunningJvm }
  | { readonly kind: "failed"; readonly reason: string };

/**
 * Starts Kafka on the data below `dataDir`, on `port` where that is free, else on another one.
 * `onSpawn` is called before Kafka is ready, so that a process that dies while it waits leaves a trace.
 */
export async function startJvm(
  setup: JvmSetup,
  port: number | null,
  onSpawn: (jvm: RunningJvm) => void,
): Promise<JvmStart> {
  const formatFailure = await formatStorage(setup);
  if (formatFailure !== undefined) return { kind: "failed", reason: formatFailure };
  for (let attempt = 1; ; attempt += 1) {
    const jvm = await spawnJvm(setup, await freePort(port));
    onSpawn(jvm);
    const failure = await awaitKafka([`127.0.0.1:${jvm.port}`], {
      timeoutMs: startMs,
      untilTopicsCanBeCreated: true,
      givenUp: () =>
        isRunning(jvm.process) ? undefined : `Kafka ended while it started: ${lastWords(setup)}`,
    });
    if (failure === undefined) return { kind: "running", jvm };
    await killJvm(jvm.process);
    const portLost = /Address already in use|Failed to bind/i.test(failure);
    if (!portLost || attempt === 3) return { kind: "failed", reason: failure };
  }
}

/** SIGTERM, then SIGKILL where Kafka has not ended in time. */
export async function stopJvm(identity: ProcessIdentity, dataDir: string): Promise<void> {
  signalProcess(identity, "SIGTERM");
  const clean = await awaitEnd(identity, stopMs);
  if (!clean) await killJvm(identity);
  keepArchive(dataDir, clean);
}

export async function killJvm(identity: ProcessIdentity): Promise<void> {
  signalProcess(identity, "SIGKILL");
  if (!(await awaitEnd(identity, stopMs)))
    throw new Error(`process ${identity.pid} did not end after SIGKILL`);
}

/** Formats into a folder that gets its name only when it is complete. */
async function formatStorage(setup: JvmSetup): Promise<string | undefined> {
  const logDir = path.join(setup.dataDir, "data");
  if (existsSync(path.join(logDir, "meta.properties"))) return undefined;
  mkdirSync(setup.dataDir, { recursive: true });
  const draft = path.join(setup.dataDir, "data.part");
  rmSync(draft, { recursive: true, force: true });
  const settingsFile = path.join(setup.dataDir, "format.properties");
  const place = { bindHost: "127.0.0.1", port: 9092, controllerPort: 9093, logDir: draft, ...setup.security };
  writeFileSync(settingsFile, toProperties(serverSettings(place)));
  const args = [
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    ...readingArchive(setup),
    "-cp",
    classPath(setup),
    "kafka.tools.StorageTool",
    "format",
  ];
  args.push("-t", clusterId(), "-c", settingsFile);
  for (const user of setup.security?.scram ?? []) args.push("--add-scram", user);
  const result = await runCommand(setup.java, args, { env: setup.env, timeoutMs: startMs });
  rmSync(settingsFile, { force: true });
  const failure = failureOf("formatting Kafka's storage", result);
  if (failure !== undefined) return failure;
  rmSync(logDir, { recursive: true, force: true });
  renameSync(draft, logDir);
  return undefined;
}

/** Kafka's own ids begin with no hyphen either: the tool would take one for an option. */
export function clusterId(random: (bytes: number) => Buffer = randomBytes): string {
  for (;;) {
    const id = random(16).toString("base64url");
    if (!id.startsWith("-")) return id;
  }
}

async function spawnJvm(setup: JvmSetup, port: number): Promise<RunningJvm> {
  const controllerPort = await freePort(null);
  const logDir = path.join(setup.dataDir, "data");
  const place = { bindHost: "127.0.0.1", port, controllerPort, logDir, ...setup.security };
  const settingsFile = path.join(setup.dataDir, "server.properties");
  const loggingFile = path.join(setup.dataDir, "log4j2.properties");
  writeFileSync(settingsFile, toProperties(serverSettings(place)));
  writeFileSync(loggingFile, loggingProperties(logFile(setup)));
  const args = ["-Xmx512m", "-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError", ...archiveArguments(setup)];
  args.push(
    `-Dlog4j2.configurationFile=${loggingFile}`,
    "-cp",
    classPath(setup),
    "kafka.Kafka",
    settingsFile,
  );
  const output = openSync(outputFile(setup), "w");
  try {
    // A process group of its own: a Ctrl-C on the terminal must not kill the Kafka that others use.
    const child = spawn(setup.java, args, {
      detached: true,
      stdio: ["ignore", output, output],
      env: setup.env,
    });
    await new Promise<void>((resolve, reject) => child.once("spawn", resolve).once("error", reject));
    child.unref();
    if (child.pid === undefined) throw new Error("a spawned process has no pid");
    return { process: identify(child.pid), port };
  } finally {
    closeSync(output);
  }
}

function classPath(setup: JvmSetup): string {
  return path.join(setup.jarsDir, "*");
}

function logFile(setup: JvmSetup): string {
  return path.join(setup.dataDir, "kafka.log");
}

function outputFile(setup: JvmSetup): string {
  return path.join(setup.dataDir, "kafka.out");
}

/** The last lines Kafka wrote, for an error message. */
function lastWords(setup: JvmSetup): string {
  const lines: string[] = [];
  for (const file of [logFile(setup), outputFile(setup)]) {
    if (existsSync(file))
      lines.push(
        ...readFileSync(file, "utf8")
          .split("\n")
          .filter((line) => line.trim() !== "")
          .slice(-12),
      );
  }
  const telling = lines.filter((line) => /ERROR|FATAL|Exception|Error/.test(line));
  return (
    (telling.length > 0 ? telling : lines).slice(-3).join(" | ").slice(0, 1_000) || `see ${outputFile(setup)}`
  );
}
