import { hostname } from "node:os";
import { kafkajsBroker } from "@sluice/broker";
import { commonSettings, readConfig, shown, type CommonConfig } from "@sluice/config";
import { messageOf, SluiceError } from "@sluice/errors";
import type { TopicLayout } from "@sluice/records";
import {
  defaultLimits,
  memoryStores,
  Service,
  systemClock,
  type Broker,
  type Clock,
  type PerformCall,
  type RuntimeLimits,
  type RuntimeProbe,
} from "@sluice/runtime";
import { createLog, Metrics, startAdminServer, type Log } from "@sluice/telemetry";
import type { InputRecord, Step } from "@sluice/topology";
import { killAtFailpoint } from "./failpoint.ts";
import { kafkaSecurity } from "./kafka-security.ts";
import { prepareTopics } from "./topic-setup.ts";

/** What a service brings to its process. */
export interface ServiceDefinition<State, Rec extends InputRecord, Call, Outcome> {
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
export interface ProcessContext {
  readonly config: CommonConfig;
  readonly layout: TopicLayout;
  readonly broker: Broker;
  readonly clock: Clock;
  readonly log: Log;
}

const exitCodes = { ok: 0, fatal: 1, config: 2 } as const;

/**
 * The whole life of a service's process: settings, topics, the service, health and metrics, and its end.
 * SIGTERM or SIGINT drains; a second one ends at once. A bug ends the process without a commit.
 */
export async function runProcess<State, Rec extends InputRecord, Call, Outcome>(
  name: string,
  define: (
    context: ProcessContext,
  ) => Promise<ServiceDefinition<State, Rec, Call, Outcome>> | ServiceDefinition<State, Rec, Call, Outcome>,
): Promise<void> {
  let config: CommonConfig;
  try {
    config = readConfig(commonSettings, process.env);
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n`);
    process.exit(exitCodes.config);
  }
  const instance = config.instance ?? hostname();
  const log = createLog(name, instance, config.logLevel);
  const clock = systemClock();
  const layout: TopicLayout = {
    prefix: config.prefix,
    partitions: config.partitions,
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
  try {
    const onFailpoint = killAtFailpoint(config.failpoint);
    const broker = kafkajsBroker({
      brokers: config.brokers,
      clientId: `${config.prefix}${name}-${instance}`,
      ...kafkaSecurity(config),
      ...(onFailpoint === undefined ? {} : { onFailpoint }),
      // The client reports what it goes on to retry; it matters only when something is looked for.
      log: (event, fields) =>
        event === "kafka_client_error" ? log.debug(fields, event) : log.info(fields, event),
    });
    log.info({ settings: shown(commonSettings, config) }, "starting");
    await prepareTopics(broker, layout, config.createTopics);
    const metrics = new Metrics({ service: name });
    const definition = await define({ config, layout, broker, clock, log });
    const service = new Service({
      ...definition,
      layout,
      broker,
      clock,
      stores: memoryStores(),
      instance,
      limits: {
        ...defaultLimits,
        sessionTimeoutMs: config.sessionTimeoutMs,
        heartbeatIntervalMs: Math.max(100, Math.floor(config.sessionTimeoutMs / 12)),
        commitIntervalMs: config.commitIntervalMs,
        drainMs: config.drainMs,
        ...definition.limits,
      },
      probe: probeFor(log, metrics),
      ...(onFailpoint === undefined ? {} : { onFailpoint }),
      onFatal: fatal,
    });
    const admin =
      config.adminPort === 0
        ? null
        : await startAdminServer({
            host: config.adminHost,
            port: config.adminPort,
            alive: () => true,
            checks: () => ({
              joined: {
                ok: service.phases().size > 0 || service.ready,
                detail: phasesText(service.phases()),
              },
              restored: { ok: service.ready, detail: service.ready ? "all tasks run" : "not yet" },
            }),
            metrics: () => {
              gather(metrics, service);
              return metrics.registry.metrics();
            },
          });
    await service.start();
    const endBeside = definition.beside?.(service);
    let stopping = false;
    const stop = (signal: string): void => {
      if (stopping) {
        log.warn({ signal }, "stopping_at_once");
        process.exit(exitCodes.fatal);
      }
      stopping = true;
      log.info({ signal }, "draining");
      endBeside?.();
      service
        .stop()
        .then(() => definition.close?.())
        .then(() => admin?.close())
        .then(() => broker.close())
        .then(() => {
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
    process.send?.({ kind: "started" });
  } catch (error) {
    fatal(error);
  }
}

function phasesText(phases: ReadonlyMap<string, number>): string {
  return phases.size === 0 ? "no tasks" : [...phases].map(([phase, count]) => `${count} ${phase}`).join(", ");
}

/** Events after which something may be missing, repeated or left out. */
const alarming: ReadonlySet<string> = new Set([
  "offsets_lost_to_retention",
  "offsets_past_the_end",
  "position_lost",
  "state_past_the_end",
  "table_record_invalid",
  "commit_failed",
  "drain_limit",
]);

function probeFor(log: Log, metrics: Metrics): RuntimeProbe {
  return {
    event: (name, fields) => (alarming.has(name) ? log.warn(fields, name) : log.info(fields, name)),
    stepped: () => metrics.add("sluice_runtime_steps_total", 1),
    consumed: (topic, records, bytes) => {
      metrics.add("sluice_runtime_consumed_records_total", records, { topic });
      metrics.add("sluice_runtime_consumed_bytes_total", bytes, { topic });
    },
    committed: (records, durationMs) => {
      metrics.add("sluice_runtime_commits_total", 1, { outcome: "committed" });
      metrics.add("sluice_runtime_commit_records_total", records);
      metrics.observe("sluice_runtime_commit_seconds", durationMs / 1000);
    },
    commitFailed: (fenced) =>
      metrics.add("sluice_runtime_commits_total", 1, { outcome: fenced ? "fenced" : "unknown" }),
    deadLetter: (topic, reason) => {
      metrics.add("sluice_runtime_dead_letters_total", 1, { topic });
      log.warn({ topic, reason }, "dead_letter");
    },
    rebalanced: () => metrics.add("sluice_runtime_rebalances_total", 1),
    staleBatch: () => metrics.add("sluice_runtime_stale_batches_total", 1),
    staleSettle: () => metrics.add("sluice_runtime_stale_calls_total", 1),
    callsWithheld: (calls) => log.warn({ calls }, "calls_withheld"),
  };
}

function gather(
  metrics: Metrics,
  service: {
    gauges: Service<unknown, InputRecord, unknown, unknown>["gauges"];
    phases(): ReadonlyMap<string, number>;
  },
): void {
  const { heldRecords, heldBytes, calls, callsWaiting, unpersisted, paused } = service.gauges();
  metrics.set("sluice_runtime_held_records", heldRecords);
  metrics.set("sluice_runtime_held_bytes", heldBytes);
  metrics.set("sluice_runtime_calls", calls);
  metrics.set("sluice_runtime_calls_waiting", callsWaiting);
  metrics.set("sluice_runtime_unpersisted_records", unpersisted);
  for (const [reason, partitions] of paused)
    metrics.set("sluice_runtime_paused_partitions", partitions, { reason });
  for (const [phase, tasks] of service.phases()) metrics.set("sluice_runtime_tasks", tasks, { phase });
}
