import { hostname } from "node:os";
import {
  commonSettings,
  readConfig,
  shown,
  type CommonConfig,
  type Settings,
  type Values,
} from "@sluice/config";
import { messageOf, SluiceError } from "@sluice/errors";
import type { TopicLayout } from "@sluice/records";
import { systemClock, type Broker, type Clock, type PerformCall, type RuntimeLimits } from "@sluice/runtime";
import { createLog, startAdminServer, type Log, type ServiceName } from "@sluice/telemetry";
import type { InputRecord, Step } from "@sluice/topology";
import { openBrokerClock } from "./broker-clock.ts";
import { assembleService } from "./assembly.ts";
import { killAtFailpoint } from "./failpoint.ts";
import { connectKafka, warnOfUnknownVariables } from "./kafka-connection.ts";
import { kafkaRefusal } from "./kafka-refusal.ts";
import { Liveness } from "./liveness.ts";
import type { ServiceMeasurements } from "./measurements.ts";
import { readinessChecks } from "./readiness.ts";

/** What a service brings to its process. */
export interface ServiceDefinition<State, Rec extends InputRecord, Call, Outcome> extends ServiceMeasurements<
  State,
  Call,
  Outcome
> {
  readonly step: Step<State, Rec, Call, Outcome>;
  readonly inputs: readonly string[];
  readonly tables: readonly string[];
  readonly changelog: string | null;
  readonly perform: PerformCall<Call, Outcome>;
  readonly limits?: Partial<RuntimeLimits>;
  readonly localTables?: ReadonlyMap<string, ReadonlyMap<string, unknown>>;
  /** Runs beside the service, e.g. a look at the lag of readers; returns what ends it. */
  readonly beside?: (service: { localTableChanged(table: string, key: string): void }) => () => void;
  /** After the service has stopped: files and connections. */
  readonly close?: () => Promise<void>;
}

/** What a service is given to define itself. */
export interface ProcessContext<Own extends Settings> {
  readonly config: CommonConfig & Values<Own>;
  readonly layout: TopicLayout;
  readonly broker: Broker;
  readonly clock: Clock;
  readonly log: Log;
}

const exitCodes = { ok: 0, fatal: 1, config: 2 } as const;

/**
 * The whole life of a service's process: settings, topics, the service, health and metrics, and its end.
 * SIGTERM or SIGINT drains; a second one ends at once. A bug ends the process without a commit.
 * @param own the settings of this service beside those of every service
 */
export async function runProcess<State, Rec extends InputRecord, Call, Outcome, Own extends Settings>(
  name: ServiceName,
  own: Own,
  define: (
    context: ProcessContext<Own>,
  ) => Promise<ServiceDefinition<State, Rec, Call, Outcome>> | ServiceDefinition<State, Rec, Call, Outcome>,
): Promise<void> {
  const settings = { ...commonSettings, ...own };
  let config: CommonConfig & Values<Own>;
  try {
    config = readConfig(settings, process.env) as unknown as CommonConfig & Values<Own>;
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n`);
    process.exit(exitCodes.config);
  }
  const instance = config.instance ?? hostname();
  const log = createLog(name, instance, config.logLevel);
  const layout: TopicLayout = {
    prefix: config.prefix,
    partitions: config.partitions,
    politenessKey: config.politenessKey,
    retentionMs: config.retentionMs ?? null,
    replicationFactor: config.replicationFactor ?? null,
  };
  const fatal = (error: unknown): never => {
    log.error(
      {
        message: messageOf(error),
        stack: error instanceof Error ? error.stack : undefined,
        code: error instanceof SluiceError ? error.code : undefined,
      },
      "fatal",
    );
    process.exit(
      error instanceof SluiceError && error.code === "SLUICE_CONFIG_INVALID"
        ? exitCodes.config
        : exitCodes.fatal,
    );
  };
  process.on("uncaughtException", fatal);
  process.on("unhandledRejection", fatal);
  // Before the first wait: a process that is number 1 in its container ignores signals it does not handle.
  const ending = endOnSignals(log, fatal);
  try {
    const onFailpoint = killAtFailpoint(config.failpoint);
    log.info({ settings: shown(settings, config) }, "starting");
    warnOfUnknownVariables(log, process.env);
    const clientId = `${config.prefix}${name}-${instance}`;
    const broker = await connectKafka({ config, clientId, layout, log, onFailpoint });
    const onEvent = (event: string, fields: object): void => log.warn(fields, event);
    const clock = await openBrokerClock({ broker, layout, clock: systemClock(), onEvent });
    const definition = await define({ config, layout, broker, clock, log });
    const { service, metrics } = await assembleService(definition, {
      name,
      config,
      layout,
      broker,
      clock,
      clockDifferenceMs: () => clock.differenceMs,
      instance,
      log,
      // A setting that only the group's coordinator can judge.
      onFatal: (error) => fatal(kafkaRefusal(error, config.brokers) ?? error),
      onFailpoint,
    });
    const onStuck = (seconds: number): void => log.error({ seconds }, "loop_stuck");
    const liveness = new Liveness({ loop: service, clock, onStuck });
    const admin =
      config.adminPort === 0
        ? null
        : await startAdminServer({
            host: config.adminHost,
            port: config.adminPort,
            alive: () => liveness.alive,
            checks: () => readinessChecks(service),
            metrics,
          });
    liveness.start();
    await service.start();
    const endBeside = definition.beside?.(service);
    const endWatch = clock.watch();
    ending.drainWith(async () => {
      endBeside?.();
      endWatch();
      await service.stop();
      await definition.close?.();
      await admin?.close();
      await broker.close();
    });
    process.send?.({ kind: "started" });
  } catch (error) {
    fatal(error);
  }
}

/**
 * SIGTERM, SIGINT and the end of a launcher drain; what comes while nothing has begun ends at once, and so does
 * a second signal.
 */
function endOnSignals(
  log: Log,
  fatal: (error: unknown) => never,
): { drainWith(drain: () => Promise<void>): void } {
  let stopping = false;
  let drain: (() => Promise<void>) | null = null;
  const stop = (signal: string): void => {
    if (stopping) {
      log.warn({ signal }, "stopping_at_once");
      process.exit(exitCodes.fatal);
    }
    stopping = true;
    log.info({ signal }, "draining");
    const drained = drain?.() ?? Promise.resolve();
    drained.then(() => {
      log.info({}, "stopped");
      process.exit(exitCodes.ok);
    }, fatal);
  };
  process.on("SIGTERM", () => stop("SIGTERM"));
  process.on("SIGINT", () => stop("SIGINT"));
  // Started by a launcher: when it goes, however it goes, nobody is left to stop us.
  process.on("disconnect", () => {
    // One that has told us to stop and goes away has not told us twice.
    if (!stopping) stop("disconnect");
  });
  return {
    drainWith: (work) => {
      drain = work;
    },
  };
}
