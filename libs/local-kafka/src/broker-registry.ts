/** Who uses the Kafka of a data folder: the file in which the commands of one machine find each other. */
import { randomUUID } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { RunningContainer } from "./container-broker.ts";
import type { RunningJvm } from "./jvm-broker.ts";
import { isRunning } from "./process-identity.ts";
import type { ProcessIdentity } from "./process-identity.ts";

export type SharedBroker =
  | ({ readonly kind: "local-jvm" } & RunningJvm)
  | ({ readonly kind: "container" } & RunningContainer);

export interface BrokerUser {
  readonly token: string;
  readonly process: ProcessIdentity;
}

export interface Registry {
  /** The Kafka that was started last and not stopped since. It may have died. */
  readonly broker: SharedBroker | null;
  /** Remembered, so that a restart keeps its address. */
  readonly port: number | null;
  /** Where the data lies: what was kept in a container's volume is not in the JVM's folder. */
  readonly kind: SharedBroker["kind"] | null;
  readonly users: readonly BrokerUser[];
}

export const emptyRegistry: Registry = { broker: null, port: null, kind: null, users: [] };

function registryFile(dataDir: string): string {
  return path.join(dataDir, "registry.json");
}

export function lockFile(dataDir: string): string {
  return path.join(dataDir, "registry.lock");
}

/** Reads the file; only for holders of the lock. A file that cannot be understood counts as empty. */
export function readRegistry(dataDir: string): Registry {
  try {
    const value: unknown = JSON.parse(readFileSync(registryFile(dataDir), "utf8"));
    return isRegistry(value) ? value : emptyRegistry;
  } catch {
    return emptyRegistry;
  }
}

/** Replaces the file as a whole; only for holders of the lock. */
export function writeRegistry(dataDir: string, registry: Registry): void {
  mkdirSync(dataDir, { recursive: true });
  const draft = `${registryFile(dataDir)}.part`;
  writeFileSync(draft, `${JSON.stringify(registry, null, 2)}\n`);
  renameSync(draft, registryFile(dataDir));
}

export function newUser(identity: ProcessIdentity): BrokerUser {
  return { token: randomUUID(), process: identity };
}

/** The users whose processes still live. */
export function livingUsers(
  users: readonly BrokerUser[],
  isAlive: (identity: ProcessIdentity) => boolean = isRunning,
): readonly BrokerUser[] {
  return users.filter((user) => isAlive(user.process));
}

function isRegistry(value: unknown): value is Registry {
  if (typeof value !== "object" || value === null) return false;
  if (!("broker" in value && "port" in value && "kind" in value && "users" in value)) return false;
  return (
    Array.isArray(value.users) &&
    value.users.every(isUser) &&
    (value.broker === null || isBroker(value.broker))
  );
}

function isUser(value: unknown): value is BrokerUser {
  return (
    typeof value === "object" &&
    value !== null &&
    "token" in value &&
    "process" in value &&
    isIdentity(value.process)
  );
}

function isIdentity(value: unknown): value is ProcessIdentity {
  return (
    typeof value === "object" &&
    value !== null &&
    "pid" in value &&
    typeof value.pid === "number" &&
    "started" in value
  );
}

function isBroker(value: unknown): value is SharedBroker {
  if (typeof value !== "object" || value === null || !("kind" in value) || !("port" in value)) return false;
  if (typeof value.port !== "number") return false;
  if (value.kind === "container") return "name" in value && typeof value.name === "string";
  return value.kind === "local-jvm" && "process" in value && isIdentity(value.process);
}
