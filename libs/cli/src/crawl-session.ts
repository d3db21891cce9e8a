/** One invocation of `sluice crawl`, from the options to the exit code. */
import { rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { kafkajsBroker } from "@sluice/broker";
import {
  commonSettings,
  fetcherSettings,
  frontierSettings,
  readConfig,
  sinkSettings,
  unknownVariables,
  type CommonConfig,
} from "@sluice/config";
import { messageOf, SluiceError } from "@sluice/errors";
import { resolveKafka, type KafkaHandle } from "@sluice/local-kafka";
import { systemClock } from "@sluice/runtime";
import type { CrawlOptions } from "./crawl-options.ts";
import { CrawlRun } from "./crawl-run.ts";
import type { Exit } from "./exit-codes.ts";
import { Interruption } from "./interruption.ts";
import { JobLock } from "./job-lock.ts";
import { kafkaRefusal, kafkaSecurity } from "@sluice/process";
import { OutFolder } from "./out-folder.ts";
import { stderrScreen } from "./progress-display.ts";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../../..");
/** A second signal waits this long for a Kafka that was started here to be stopped. */
const kafkaStopMs = 5000;

/** @throws SluiceError for whatever the user can do something about */
export async function crawl(options: CrawlOptions, env: NodeJS.ProcessEnv): Promise<Exit> {
  const screen = stderrScreen(env);
  const say = (text: string): void => screen.write(`${text}\n`);
  const config = readSettings(options, env);
  for (const { name, nearest } of unknownVariables(env))
    say(`warning: ${name} is no setting${nearest === null ? "" : `; the nearest is ${nearest}`}`);
  const folder = new OutFolder(options.out);
  folder.check();
  const dataDir = resolve(env["SLUICE_DATA_DIR"] || join(root, ".sluice"));
  let run: CrawlRun | null = null;
  let kafka: KafkaHandle | null = null;
  const interruption = new Interruption(
    (why) =>
      run === null
        ? say(`${why}: stopping ...`)
        : run.say(`${why}: finishing what is under way; once more stops at once`),
    () => {
      run?.abandon();
      const stopped = kafka === null ? Promise.resolve() : kafka.stop().catch(() => undefined);
      const limit = new Promise((end) => setTimeout(end, kafkaStopMs));
      void Promise.race([stopped, limit]).then(() => process.exit(13));
    },
  );
  interruption.listen(process);
  process.stdout.on("error", () => interruption.request("stdout is closed"));
  process.stderr.on("error", () => undefined);

  if (
    options.contact === null &&
    options.userAgent === null &&
    !env["SLUICE_FETCHER_CONTACT"] &&
    !env["SLUICE_FETCHER_USER_AGENT"]
  ) {
    say(
      "warning: no --contact given; people whose sites are crawled cannot tell you if something goes wrong",
    );
  }
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => interruption.unlisten(process));
  const lock = await JobLock.take(join(dataDir, "jobs"), { id: options.job.id, prefix: options.prefix });
  cleanup.defer(() => lock.release());

  const found = await resolveKafka({
    ...(options.brokers === null ? {} : { brokers: options.brokers }),
    security: kafkaSecurity(config),
    refusal: (error) => kafkaRefusal(error, options.brokers ?? config.brokers),
    dataDir,
    env,
    log: say,
  });
  kafka = found;
  cleanup.defer(() => found.stop());
  say(found.description);
  if (interruption.isRequested) return "interrupted";

  const broker = kafkajsBroker({
    brokers: found.brokers,
    clientId: `${options.prefix}cli`,
    ...(found.kind === "given" ? kafkaSecurity(config) : {}),
  });
  cleanup.defer(() => broker.close());
  const stateDir = join(dataDir, "state", options.job.id);
  run = new CrawlRun({
    options,
    layout: {
      prefix: options.prefix,
      partitions: options.partitions ?? config.partitions,
      politenessKey: config.politenessKey,
      retentionMs: options.retentionMs ?? config.retentionMs ?? null,
      replicationFactor: config.replicationFactor ?? null,
    },
    broker,
    brokers: found.brokers,
    givenBrokers: found.kind === "given",
    clock: systemClock(),
    screen,
    env,
    folder,
    logDir: join(dataDir, "logs", options.job.id),
    stateDir,
    scriptOf: (service) => join(root, "services", service, "src", "main.ts"),
    interruption,
    onServices: (pids) => lock.note(pids),
    writeResults: (bytes) => void process.stdout.write(bytes),
  });
  const exit = await run.crawl();
  // What comes next is a run of its own.
  if (exit === "done") rmSync(stateDir, { recursive: true, force: true });
  return exit;
}

const allSettings = { ...commonSettings, ...frontierSettings, ...fetcherSettings, ...sinkSettings };

/** Settings that the services will read: what is wrong with them is told here, once. */
function readSettings(options: CrawlOptions, env: NodeJS.ProcessEnv): CommonConfig {
  const { KAFKA_BROKERS: given, KAFKA_BOOTSTRAP_SERVERS: alias, ...rest } = env;
  try {
    return readConfig(allSettings, {
      ...rest,
      KAFKA_BROKERS: options.brokers?.join(",") ?? (given || alias || "found-later:9092"),
      SLUICE_PREFIX: options.prefix,
    });
  } catch (error) {
    if (error instanceof SluiceError) throw error;
    throw new SluiceError("SLUICE_CONFIG_INVALID", messageOf(error), { cause: error });
  }
}
