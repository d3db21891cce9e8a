/** An Apache Kafka in a JVM that one process has for itself, and may kill: for tests and benchmarks. */
import { SluiceError } from "@sluice/errors";
import { unavailableMessage } from "./choice.ts";
import { killJvm, startJvm, stopJvm } from "./jvm-broker.ts";
import type { JvmSetup, RunningJvm, ServerSecurity } from "./jvm-broker.ts";
import { prepareJvm } from "./jvm-setup.ts";
import { pinnedKafka } from "./pinned-kafka.ts";
import { signalProcess } from "./process-identity.ts";

export interface LocalKafkaOptions {
  /** Must not be the data folder of a shared Kafka. */
  readonly dataDir: string;
  /** Folder that keeps the jars, so that several data folders share one download; `dataDir` where omitted. */
  readonly jarsHome?: string;
  readonly env: NodeJS.ProcessEnv;
  readonly log: (line: string) => void;
  readonly security?: ServerSecurity;
}

export class LocalKafka {
  readonly #setup: JvmSetup;
  #jvm: RunningJvm;

  private constructor(setup: JvmSetup, jvm: RunningJvm) {
    this.#setup = setup;
    this.#jvm = jvm;
  }

  /** Rejects with SLUICE_KAFKA_UNAVAILABLE where Java, Maven or the jars are missing, or Kafka does not start. */
  static async start(options: LocalKafkaOptions): Promise<LocalKafka> {
    const pinned = pinnedKafka();
    const prepared = await prepareJvm({ ...options, pinned });
    const refuse = (reason: string): never => {
      throw new SluiceError(
        "SLUICE_KAFKA_UNAVAILABLE",
        unavailableMessage([{ kind: "local-jvm", reason }], pinned),
      );
    };
    if (prepared.kind === "failed") return refuse(prepared.reason);
    const { security } = options;
    const setup = { ...prepared.setup, ...(security === undefined ? {} : { security }) };
    const started = await startJvm(setup, null, () => {});
    return started.kind === "failed" ? refuse(started.reason) : new LocalKafka(setup, started.jvm);
  }

  get brokers(): readonly string[] {
    return [`127.0.0.1:${this.#jvm.port}`];
  }

  get port(): number {
    return this.#jvm.port;
  }

  get pid(): number {
    return this.#jvm.process.pid;
  }

  /** SIGKILL: the data stays as a crash leaves it. Resolves when the process is gone. */
  kill(): Promise<void> {
    return killJvm(this.#jvm.process);
  }

  /** SIGKILL without waiting, for a process that is about to end itself. */
  killNow(): void {
    signalProcess(this.#jvm.process, "SIGKILL");
  }

  /** Starts it again on its data and its port. Kills what still runs. Rejects where the port was taken meanwhile. */
  async restart(): Promise<void> {
    await this.kill();
    const port = this.#jvm.port;
    const started = await startJvm(this.#setup, port, (jvm) => {
      this.#jvm = jvm;
    });
    if (started.kind === "failed") throw new SluiceError("SLUICE_KAFKA_UNAVAILABLE", started.reason);
    if (started.jvm.port !== port) {
      await this.kill();
      throw new SluiceError("SLUICE_KAFKA_UNAVAILABLE", `port ${port} was taken while Kafka was away`);
    }
  }

  /** Clean stop; at most 20 s, then SIGKILL. */
  stop(): Promise<void> {
    return stopJvm(this.#jvm.process, this.#setup.dataDir);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
