/** One Kafka for all commands that use the same data folder: the first starts it, the last one stops it. */
import { SluiceError } from "@sluice/errors";
import {
  emptyRegistry,
  livingUsers,
  lockFile,
  newUser,
  readRegistry,
  writeRegistry,
} from "./broker-registry.ts";
import type { BrokerUser, SharedBroker } from "./broker-registry.ts";
import {
  containerEnd,
  containerRuns,
  dockerFailure,
  startContainer,
  stopContainer,
} from "./container-broker.ts";
import { withLock } from "./exclusive-lock.ts";
import { prepareJvm } from "./jvm-setup.ts";
import { killJvm, startJvm, stopJvm } from "./jvm-broker.ts";
import { awaitKafka } from "./kafka-probe.ts";
import type { PinnedKafka } from "./pinned-kafka.ts";
import { identify, isRunning } from "./process-identity.ts";
import { kindsInOrder, unavailableMessage } from "./choice.ts";
import type { Refusal } from "./choice.ts";

/** Another command may be downloading the jars. */
const lockMs = 1_200_000;
/** A Kafka that runs answers in milliseconds; on a loaded machine, or after a crash, in seconds. */
const answerMs = 30_000;

export interface SharedOptions {
  readonly dataDir: string;
  readonly env: NodeJS.ProcessEnv;
  readonly log: (line: string) => void;
  readonly pinned: PinnedKafka;
  /** Where one that is started listens, if the port is free; null: where it was the time before. */
  readonly port: number | null;
}

export interface SharedUse {
  readonly broker: SharedBroker;
  /** True where this call started it. */
  readonly started: boolean;
  readonly startMs: number;
  /** Leaves; stops the Kafka where nobody else uses it. */
  readonly leave: () => Promise<void>;
}

/** Joins the Kafka that runs, or starts one. Rejects with SLUICE_KAFKA_UNAVAILABLE and the remedies. */
export function joinSharedBroker(options: SharedOptions): Promise<SharedUse> {
  const onWait = (pid: number): void =>
    options.log(`Waiting for process ${pid}, which is starting or stopping Kafka ...`);
  return withLock(lockFile(options.dataDir), { timeoutMs: lockMs, onWait }, () => join(options));
}

async function join(options: SharedOptions): Promise<SharedUse> {
  const startedAtMs = performance.now();
  const registry = readRegistry(options.dataDir);
  const user = newUser(identify(process.pid));
  const leave = (): Promise<void> => leaveSharedBroker(options, user);
  const running =
    registry.broker !== null && (await answers(registry.broker, options)) ? registry.broker : undefined;
  if (running !== undefined) {
    writeRegistry(options.dataDir, { ...registry, users: [...livingUsers(registry.users), user] });
    return { broker: running, started: false, startMs: performance.now() - startedAtMs, leave };
  }
  const broker = await startAny(options, user);
  return { broker, started: true, startMs: performance.now() - startedAtMs, leave };
}

/** Whether the registered Kafka can be used. One that runs and stays silent is ended: it would hold the data. */
async function answers(broker: SharedBroker, options: SharedOptions): Promise<boolean> {
  const runs =
    broker.kind === "local-jvm" ? isRunning(broker.process) : await containerRuns(broker, options.env);
  if (!runs) return false;
  const silent = await awaitKafka([`127.0.0.1:${broker.port}`], {
    timeoutMs: answerMs,
    untilTopicsCanBeCreated: true,
    givenUp: endOf(broker, options.env),
  });
  if (silent === undefined) return true;
  options.log(`The Kafka at 127.0.0.1:${broker.port} does not answer (${silent}); starting it anew.`);
  await end(broker, options, true);
  return false;
}

/** One that was killed just now may still have been taken for running. */
function endOf(
  broker: SharedBroker,
  env: NodeJS.ProcessEnv,
): () => string | undefined | Promise<string | undefined> {
  if (broker.kind === "container") return containerEnd(broker.name, env);
  return () => (isRunning(broker.process) ? undefined : "its process has ended");
}

async function startAny(options: SharedOptions, user: BrokerUser): Promise<SharedBroker> {
  const { dataDir } = options;
  const before = readRegistry(dataDir);
  const port = options.port ?? before.port;
  const refusals: Refusal[] = [];
  const users = (): readonly BrokerUser[] => [...livingUsers(readRegistry(dataDir).users), user];
  for (const kind of kindsInOrder(before.kind)) {
    const started =
      kind === "container" ? await tryContainer(options, port) : await tryJvm(options, port, users);
    if (started.kind === "failed") {
      refusals.push({ kind, reason: started.reason });
      // That a machine lacks what it never used is not worth a line; the error has it where nothing works.
      if (started.begun || kind === before.kind) options.log(`No Kafka ${places[kind]}: ${started.reason}`);
      continue;
    }
    if (before.kind !== null && before.kind !== kind) {
      options.log(`Earlier data was kept by the ${before.kind} Kafka and is not visible to this one.`);
    }
    writeRegistry(dataDir, { broker: started.broker, port: started.broker.port, kind, users: users() });
    return started.broker;
  }
  writeRegistry(dataDir, { ...before, broker: null, users: livingUsers(before.users) });
  throw new SluiceError("SLUICE_KAFKA_UNAVAILABLE", unavailableMessage(refusals, options.pinned));
}

const places = { container: "in a container", "local-jvm": "in a local JVM" } as const;

type Started =
  | { readonly kind: "started"; readonly broker: SharedBroker }
  /** `begun`: what it needs is there, but it did not start. */
  | { readonly kind: "failed"; readonly reason: string; readonly begun: boolean };

async function tryContainer(options: SharedOptions, port: number | null): Promise<Started> {
  const failure = await dockerFailure(options.env);
  if (failure !== undefined) return { kind: "failed", reason: failure, begun: false };
  const image = options.env["SLUICE_KAFKA_IMAGE"] ?? options.pinned.image;
  options.log(`Starting Apache Kafka in a container (${image}) ...`);
  const start = await startContainer({ ...options, image }, port);
  if (start.kind === "running") return { kind: "started", broker: { kind: "container", ...start.container } };
  return { ...start, begun: true };
}

async function tryJvm(
  options: SharedOptions,
  port: number | null,
  users: () => readonly BrokerUser[],
): Promise<Started> {
  const setup = await prepareJvm(options);
  if (setup.kind === "failed") return { ...setup, begun: false };
  options.log(`Starting Apache Kafka ${options.pinned.version} in a local JVM ...`);
  const start = await startJvm(setup.setup, port, (jvm) => {
    writeRegistry(options.dataDir, {
      broker: { kind: "local-jvm", ...jvm },
      port: jvm.port,
      kind: "local-jvm",
      users: users(),
    });
  });
  if (start.kind === "failed") return { ...start, begun: true };
  return { kind: "started", broker: { kind: "local-jvm", ...start.jvm } };
}

/** Safe to call twice: a user that is no longer registered has nothing to leave. */
function leaveSharedBroker(options: SharedOptions, user: BrokerUser): Promise<void> {
  return withLock(lockFile(options.dataDir), { timeoutMs: lockMs }, async () => {
    const registry = readRegistry(options.dataDir);
    if (!registry.users.some((other) => other.token === user.token)) return;
    const users = livingUsers(registry.users).filter((other) => other.token !== user.token);
    if (users.length > 0 || registry.broker === null) {
      writeRegistry(options.dataDir, { ...registry, users });
      return;
    }
    await end(registry.broker, options, false);
    writeRegistry(options.dataDir, { ...emptyRegistry, port: registry.port, kind: registry.kind });
  });
}

async function end(broker: SharedBroker, options: SharedOptions, now: boolean): Promise<void> {
  if (broker.kind === "container") await stopContainer(broker, options.env);
  else if (now) await killJvm(broker.process);
  else await stopJvm(broker.process, options.dataDir);
}
