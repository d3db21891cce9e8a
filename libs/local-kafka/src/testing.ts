/** The Kafka of a test suite: a throw-away container where Docker works, else a throw-away local JVM. */
import { mkdtempSync, rmSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import path from "node:path";
import { messageOf } from "@sluice/errors";
import { givenBrokers } from "./choice.ts";
import { dockerFailure, imageFailure } from "./container-broker.ts";
import { LocalKafka } from "./local-kafka.ts";
import { pinnedKafka } from "./pinned-kafka.ts";
import type { Listener } from "./server-settings.ts";

export interface TestKafkaOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** Where the jars are kept between runs; a folder in the user's cache where omitted. */
  readonly jarsHome?: string;
  /** Gets the line that says which Kafka is used; standard error where omitted. */
  readonly log?: (line: string) => void;
  /** Beside its own; no container has them, so with any it is a JVM. */
  readonly listeners?: readonly Listener[];
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
  const { listeners = [] } = options;
  const container = listeners.length > 0 ? undefined : await tryContainer(env, log);
  const kafka = container ?? (await startJvm(options, env, log));
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
    const { startTestContainer } = await import("./testing/test-container.ts");
    const { broker, kill, restart, stop } = await startTestContainer(image, env);
    const description = `Kafka in a test container (${image}) at ${broker}`;
    return { brokers: [broker], kind: "container", description, kill, restart, stop };
  } catch (error) {
    log(`No test container: ${messageOf(error)}`);
    return undefined;
  }
}

async function startJvm(
  { jarsHome, listeners = [] }: TestKafkaOptions,
  env: NodeJS.ProcessEnv,
  log: (line: string) => void,
): Promise<TestKafka> {
  const dataDir = mkdtempSync(path.join(tmpdir(), "sluice-test-kafka-"));
  const remove = (): void => rmSync(dataDir, { recursive: true, force: true });
  const kafka = await LocalKafka.start({
    dataDir,
    jarsHome: jarsHome ?? jarsCache(env),
    env,
    log,
    security: { listeners, settings: {}, scram: [] },
  }).catch((error: unknown) => {
    remove();
    throw error;
  });
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
