/** A throw-away Kafka in a container of testcontainers. Loaded only where an engine answers, for it loads slowly. */
import { spawnSync } from "node:child_process";
import { GenericContainer } from "testcontainers";
import type { WaitStrategy } from "testcontainers";
import { failureOf, runCommand } from "../command.ts";
import { containerEnd, imageEnvironment } from "../container-broker.ts";
import { freePort } from "../free-port.ts";
import { awaitKafka } from "../kafka-probe.ts";

const startMs = 120_000;
const exitMs = 20_000;

export interface TestContainer {
  readonly broker: string;
  /** kill -9 of the broker; resolves when it is gone. */
  kill(): Promise<void>;
  /** Starts it again with its data at the same address; resolves when it answers. */
  restart(): Promise<void>;
  /** Ends it and removes it with its volumes. */
  stop(): Promise<void>;
}

/** An open port does not say that topics can be created: the waiting is done here, by asking Kafka. */
const noWaiting: WaitStrategy = {
  waitUntilReady: async () => {},
  withStartupTimeout: () => noWaiting,
  isStartupTimeoutSet: () => true,
  getStartupTimeout: () => startMs,
};

class KafkaContainer extends GenericContainer {
  readonly #port: number;
  readonly #onCreated: (id: string) => void;

  constructor(image: string, port: number, onCreated: (id: string) => void) {
    super(image);
    this.#port = port;
    this.#onCreated = onCreated;
    this.withEnvironment({ ...imageEnvironment(port) });
    this.withExposedPorts({ container: port, host: port });
    this.withWaitStrategy(noWaiting);
  }

  /** testcontainers would publish on every address of the machine; this Kafka asks nobody for a password. */
  protected override async beforeContainerCreated(): Promise<void> {
    const binding = { HostIp: "127.0.0.1", HostPort: String(this.#port) };
    this.hostConfig.PortBindings = { [`${this.#port}/tcp`]: [binding] };
  }

  protected override async containerCreated(id: string): Promise<void> {
    this.#onCreated(id);
  }
}

/** Rejects where the container does not start or its Kafka does not answer; nothing is left then. */
export async function startTestContainer(image: string, env: NodeJS.ProcessEnv): Promise<TestContainer> {
  // The helper image that removes leftovers cannot be had everywhere: what was started is removed here.
  process.env["TESTCONTAINERS_RYUK_DISABLED"] ??= "true";
  const port = await freePort(null);
  const broker = `127.0.0.1:${port}`;
  let id: string | undefined;
  const onExit = (): void => {
    if (id !== undefined) spawnSync("docker", removal(id), { env, timeout: exitMs, stdio: "ignore" });
  };
  const docker = async (...args: readonly string[]): Promise<void> => {
    const result = await runCommand("docker", args, { env, timeoutMs: startMs });
    const failure = failureOf(`docker ${args[0]}`, result);
    if (failure !== undefined) throw new Error(failure);
  };
  const stop = async (): Promise<void> => {
    if (id !== undefined) await docker(...removal(id));
    process.off("exit", onExit);
  };
  const ready = async (): Promise<void> => {
    const failure = await awaitKafka([broker], {
      timeoutMs: startMs,
      untilTopicsCanBeCreated: true,
      ...(id === undefined ? {} : { givenUp: containerEnd(id, env) }),
    });
    if (failure !== undefined) throw new Error(`the test container does not answer: ${failure}`);
  };
  process.once("exit", onExit);
  try {
    const container = await new KafkaContainer(image, port, (created) => {
      id = created;
    }).start();
    id = container.getId();
    await ready();
  } catch (error) {
    // testcontainers says of a container that has ended only that its port is not there.
    const ended = id === undefined ? undefined : await containerEnd(id, env)();
    await stop();
    throw ended === undefined ? error : new Error(ended, { cause: error });
  }
  const started = id;
  return {
    broker,
    kill: () => docker("kill", started),
    restart: async () => {
      await docker("start", started);
      await ready();
    },
    stop,
  };
}

/** Nobody reads its data again: neither a clean stop nor the volumes are of use. */
function removal(id: string): readonly string[] {
  return ["rm", "--force", "--volumes", id];
}
