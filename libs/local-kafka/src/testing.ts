/** The Kafka of a test suite: a throw-away container where Docker works, else a throw-away local JVM. */
import { mkdtempSync, rmSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import path from "node:path";
import { messageOf } from "@sluice/errors";
import { givenBrokers } from "./choice.ts";
import { failureOf, runCommand } from "./command.ts";
import { dockerFailure, imageEnvironment, imageFailure } from "./container-broker.ts";
import { freePort } from "./free-port.ts";
import { awaitKafka } from "./kafka-probe.ts";
import { LocalKafka } from "./local-kafka.ts";
import { pinnedKafka } from "./pinned-kafka.ts";

const startMs = 120_000;

export interface TestKafkaOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** Where the jars are kept between runs; a folder in the user's cache where omitted. */
  readonly jarsHome?: string;
  /** Gets the line that says which Kafka is used; standard error where omitted. */
  readonly log?: (line: string) => void;
}

export interface TestKafka {
  readonly brokers: readonly string[];
  readonly kind: "container" | "local-jvm";
  readonly description: string;
  /** kill -9 of the broker; resolves when it is gone. */
  kill(): Promise<void>;
  /** Starts it again with its data at the same address; resolves when it answers. */
  restart(): Promise<void>;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

/**
 * Rejects with SLUICE_KAFKA_UNAVAILABLE where neither way works: a suite that needs Kafka must then fail.
 * Brokers in the environment are not used, for a test creates, kills and deletes at will.
 */
export async function startTestKafka(options: TestKafkaOptions = {}): Promise<TestKafka> {
  const env = options.env ?? process.env;
  const log = options.log ?? ((line: string): void => void process.stderr.write(`${line}\n`));
  if (givenBrokers(undefined, env).length > 0)
    log("The tests start a Kafka of their own; the given brokers are left alone.");
  const kafka = (await tryContainer(env, log)) ?? (await startJvm(options.jarsHome, env, log));
  log(`Tests use ${kafka.description}`);
  return kafka;
}

async function tryContainer(
  env: NodeJS.ProcessEnv,
  log: (line: string) => void,
): Promise<TestKafka | undefined> {
  const image = env["SLUICE_KAFKA_IMAGE"] ?? pinnedKafka().image;
  const failure = (await dockerFailure(env)) ?? (await imageFailure({ image, env, log }));
  if (failure !== undefined) {
    log(`No test container: ${failure}`);
    return undefined;
  }
  try {
    return await startTestContainer(image, env);
  } catch (error) {
    log(`No test container: ${messageOf(error)}`);
    return undefined;
  }
}

async function startTestContainer(image: string, env: NodeJS.ProcessEnv): Promise<TestKafka> {
  // The helper image that removes leftovers cannot be had everywhere; `stop` removes what was started.
  process.env["TESTCONTAINERS_RYUK_DISABLED"] ??= "true";
  const { GenericContainer } = await import("testcontainers");
  const port = await freePort(null);
  const brokers = [`127.0.0.1:${port}`];
  const container = await new GenericContainer(image)
    .withEnvironment({ ...imageEnvironment(port) })
    .withExposedPorts({ container: port, host: port })
    .withStartupTimeout(startMs)
    .start();
  const docker = async (command: string): Promise<void> => {
    const failure = failureOf(
      `docker ${command}`,
      await runCommand("docker", [command, container.getId()], { env, timeoutMs: startMs }),
    );
    if (failure !== undefined) throw new Error(failure);
  };
  const ready = async (): Promise<void> => {
    const failure = await awaitKafka(brokers, { timeoutMs: startMs, untilTopicsCanBeCreated: true });
    if (failure !== undefined) throw new Error(`the test container does not answer: ${failure}`);
  };
  const stop = async (): Promise<void> => void (await container.stop({ remove: true, removeVolumes: true }));
  try {
    await ready();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    brokers,
    kind: "container",
    description: `Kafka in a test container (${image}) at ${brokers[0]}`,
    kill: () => docker("kill"),
    restart: async () => {
      await docker("start");
      await ready();
    },
    stop,
  };
}

async function startJvm(
  jarsHome: string | undefined,
  env: NodeJS.ProcessEnv,
  log: (line: string) => void,
): Promise<TestKafka> {
  const dataDir = mkdtempSync(path.join(tmpdir(), "sluice-test-kafka-"));
  const remove = (): void => rmSync(dataDir, { recursive: true, force: true });
  const kafka = await LocalKafka.start({ dataDir, jarsHome: jarsHome ?? jarsCache(env), env, log }).catch(
    (error: unknown) => {
      remove();
      throw error;
    },
  );
  const onExit = (): void => {
    kafka.killNow();
    remove();
  };
  process.once("exit", onExit);
  return {
    brokers: kafka.brokers,
    kind: "local-jvm",
    description: `Apache Kafka ${pinnedKafka().version} in a local JVM (pid ${kafka.pid}) at ${kafka.brokers[0]}`,
    kill: () => kafka.kill(),
    restart: () => kafka.restart(),
    stop: async () => {
      process.off("exit", onExit);
      // Nobody reads this data again: a clean stop would only take longer.
      await kafka.kill();
      remove();
    },
  };
}

function jarsCache(env: NodeJS.ProcessEnv): string {
  return path.join(env["XDG_CACHE_HOME"] ?? path.join(homedir(), ".cache"), "sluice");
}
