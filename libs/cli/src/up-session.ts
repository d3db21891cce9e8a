/** One invocation of `sluice up`, from the options to the exit code. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { kafkajsBroker } from "@sluice/broker";
import {
  apiSettings,
  commonSettings,
  fetcherSettings,
  frontierSettings,
  readConfig,
  sinkSettings,
  unknownVariables,
} from "@sluice/config";
import { SluiceError } from "@sluice/errors";
import { freePort, resolveKafka, type KafkaHandle } from "@sluice/local-kafka";
import { kafkaRefusal, kafkaSecurity, prepareTopics } from "@sluice/process";
import { systemClock } from "@sluice/runtime";
import type { Exit } from "./exit-codes.ts";
import { givenUpText } from "./given-up.ts";
import { Interruption } from "./interruption.ts";
import { JobLock } from "./job-lock.ts";
import { deathText, defaultLaunchPolicy, Launcher, type GivenUp } from "./launcher.ts";
import { stderrScreen } from "./progress-display.ts";
import { startServiceProcess } from "./service-process.ts";
import type { UpOptions } from "./up-options.ts";
import { prometheusSettings, upSpecs, type UpService } from "./up-services.ts";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../../..");
/** Where clients of Kafka look first. */
const kafkaPort = 9092;
/** A second signal waits this long for a Kafka that was started here to be stopped. */
const kafkaStopMs = 5000;
/** Beyond the drain limit of the services, until they are killed. */
const graceMarginMs = 5000;
const readyEveryMs = 200;

const allSettings = {
  ...commonSettings,
  ...frontierSettings,
  ...fetcherSettings,
  ...sinkSettings,
  ...apiSettings,
};

/** @throws SluiceError for whatever the user can do something about */
export async function up(options: UpOptions, env: NodeJS.ProcessEnv): Promise<Exit> {
  const screen = stderrScreen(env);
  const say = (text: string): void => screen.write(`${text}\n`);
  const config = readConfig(allSettings, {
    ...env,
    KAFKA_BROKERS:
      options.brokers?.join(",") ??
      (env["KAFKA_BROKERS"] || env["KAFKA_BOOTSTRAP_SERVERS"] || "found-later:9092"),
    SLUICE_PREFIX: options.prefix,
  });
  for (const { name, nearest } of unknownVariables(env))
    say(`warning: ${name} is no setting${nearest === null ? "" : `; the nearest is ${nearest}`}`);
  const dataDir = resolve(env["SLUICE_DATA_DIR"] || join(root, ".sluice"));
  const givenUp = Promise.withResolvers<GivenUp>();
  let kafka: KafkaHandle | null = null;
  const launcher = new Launcher({
    clock: systemClock(),
    policy: defaultLaunchPolicy,
    start: (spec, own) =>
      startServiceProcess({
        script: join(root, "services", spec.service, "src", "main.ts"),
        env: { ...env, ...own },
        logPath: spec.logPath,
      }),
    onGivenUp: givenUp.resolve,
    onRestart: (spec, death) =>
      say(`${spec.name} ${deathText(death)}; starting it again (log: ${spec.logPath})`),
    onChanged: (pids) => lock.note(pids),
  });
  const interruption = new Interruption(
    (why) => say(`${why}: stopping; once more stops at once`),
    () => {
      launcher.kill();
      const stopped = kafka === null ? Promise.resolve() : kafka.stop().catch(() => undefined);
      const limit = new Promise((end) => setTimeout(end, kafkaStopMs));
      void Promise.race([stopped, limit]).then(() => process.exit(13));
    },
  );
  const lock = await JobLock.takeFile(join(dataDir, "jobs", `up.${options.prefix}lock`), (pid) => ({
    field: "--prefix",
    message: `process ${pid} runs the system with this prefix already`,
  }));
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => lock.release());
  await refuseTakenPorts(options);
  interruption.listen(process);
  cleanup.defer(() => interruption.unlisten(process));

  const found = await resolveKafka({
    ...(options.brokers === null ? {} : { brokers: options.brokers }),
    security: kafkaSecurity(config),
    refusal: (error) => kafkaRefusal(error, config.brokers),
    dataDir,
    env,
    port: kafkaPort,
    log: say,
  });
  kafka = found;
  cleanup.defer(() => found.stop());
  say(found.description);
  const givenBrokers = found.kind === "given";
  const layout = {
    prefix: options.prefix,
    partitions: options.partitions ?? config.partitions,
    politenessKey: config.politenessKey,
    retentionMs: config.retentionMs ?? null,
    replicationFactor: config.replicationFactor ?? null,
  };
  if (interruption.isRequested) return "done";
  const broker = kafkajsBroker({
    brokers: found.brokers,
    clientId: `${options.prefix}cli`,
    ...(givenBrokers ? kafkaSecurity(config) : {}),
  });
  try {
    await prepareTopics(broker, layout, true);
  } finally {
    await broker.close();
  }

  const { brokers } = found;
  const { partitions } = layout;
  const logDir = join(dataDir, "logs", "up");
  const services = upSpecs({
    options,
    brokers,
    givenBrokers,
    partitions,
    logDir,
    stateDir: join(dataDir, "state"),
  });
  const prometheusFile = join(dataDir, "prometheus.yml");
  mkdirSync(dataDir, { recursive: true });
  writeFileSync(prometheusFile, prometheusSettings(services, join(root, "deploy", "prometheus", "rules")));
  cleanup.defer(() => launcher.kill());
  launcher.start(services);
  const stop = Promise.race([interruption.requested, givenUp.promise]);
  const ready = new AbortController();
  const isReady = untilReady(services, ready.signal).then(
    () => say(readyText({ options, brokers, services, logDir, prometheusFile })),
    () => undefined,
  );
  const cause = await stop;
  ready.abort();
  await isReady;
  await launcher.stop(() => true, config.drainMs + graceMarginMs);
  if (cause === undefined) return "done";
  say(givenUpText(cause));
  return "fatal";
}

/** Told before anything is started, and by the name of the option. */
async function refuseTakenPorts({ apiPort, metricsPort }: UpOptions): Promise<void> {
  const wanted = [
    { option: "--api-port", port: apiPort },
    ...[0, 1, 2, 3, 4].map((index) => ({ option: "--metrics-port", port: metricsPort + index })),
  ];
  const taken: string[] = [];
  for (const { option, port } of wanted)
    if ((await freePort(port)) !== port) taken.push(`${option}: port ${port} is taken`);
  const [first] = taken;
  if (first !== undefined)
    throw new SluiceError("SLUICE_USAGE", taken.join("\n"), { field: first.split(":", 1)[0] ?? "" });
}

/** Resolves when every service says that it is ready; rejects when it is not to be waited for any more. */
async function untilReady(services: readonly UpService[], signal: AbortSignal): Promise<void> {
  for (const { metricsPort } of services) {
    while (!(await isReady(metricsPort, signal))) {
      signal.throwIfAborted();
      await new Promise((next) => setTimeout(next, readyEveryMs));
    }
  }
}

async function isReady(port: number, signal: AbortSignal): Promise<boolean> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/readyz`, { signal });
    await answer.arrayBuffer();
    return answer.ok;
  } catch {
    return false;
  }
}

interface Places {
  readonly options: UpOptions;
  readonly brokers: readonly string[];
  readonly services: readonly UpService[];
  readonly logDir: string;
  readonly prometheusFile: string;
}

function readyText({ options, brokers, services, logDir, prometheusFile }: Places): string {
  return [
    `kafka     ${brokers.join(",")}, topics ${options.prefix}crawl.*`,
    `page      http://127.0.0.1:${options.apiPort}/`,
    `api       http://127.0.0.1:${options.apiPort}/v1/jobs`,
    `metrics   ${services.map(({ service, metricsPort }) => `${service} :${metricsPort}`).join(", ")}`,
    `          prometheus --config.file=${prometheusFile}`,
    `results   ${join(options.out, "results.jsonl")}`,
    `logs      ${logDir}`,
    "ready; Ctrl-C stops it all",
  ].join("\n");
}
