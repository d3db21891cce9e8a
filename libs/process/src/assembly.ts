/** A service with its metrics, ready to be started: the same in a process of its own and inside another. */
import type { CommonConfig } from "@sluice/config";
import type { TopicLayout } from "@sluice/records";
import { join } from "node:path";
import {
  defaultLimits,
  diskStores,
  memoryStores,
  Service,
  type Broker,
  type Clock,
  type OnFailpoint,
  type RuntimeLimits,
  type RuntimeProbe,
  type StateStores,
} from "@sluice/runtime";
import { Metrics, UnlistedValues, type Log, type ServiceName } from "@sluice/telemetry";
import type { InputRecord } from "@sluice/topology";
import { Gathering } from "./gathering.ts";
import { InputLag } from "./input-lag.ts";
import { counted } from "./measurements.ts";
import { metricsProbe } from "./metrics-probe.ts";
import type { ServiceDefinition } from "./run.ts";

export interface AssemblyOptions {
  readonly name: ServiceName;
  readonly config: CommonConfig;
  readonly layout: TopicLayout;
  readonly broker: Broker;
  readonly clock: Clock;
  /** What the broker's time of day is ahead of the clock; null where it is not known. */
  readonly clockDifferenceMs?: (() => number | null) | undefined;
  readonly instance: string;
  readonly log: Log;
  readonly onFatal: (error: Error) => void;
  readonly onFailpoint?: OnFailpoint | undefined;
}

export interface AssembledService<State, Rec extends InputRecord, Call, Outcome> {
  readonly service: Service<State, Rec, Call, Outcome>;
  /** Text of /metrics. */
  readonly metrics: () => Promise<string>;
}

/** On the disk, unless the service has no state or the setting says otherwise. */
async function storesOf(
  changelog: string | null,
  { name, config, layout, broker, clock, instance }: AssemblyOptions,
  probe: RuntimeProbe,
): Promise<StateStores> {
  if (changelog === null || config.stateDir === "memory") return memoryStores();
  // Of topics that were made anew with other keys nothing may be believed that was kept of the former ones.
  const keyed = layout.politenessKey === "host" ? "" : `.${layout.politenessKey}`;
  const dir = join(config.stateDir, await broker.admin.clusterId(), layout.prefix + name + keyed);
  return diskStores({ dir, instance, nowMs: clock.nowMs, onEvent: probe.event });
}

export async function assembleService<State, Rec extends InputRecord, Call, Outcome>(
  definition: ServiceDefinition<State, Rec, Call, Outcome>,
  options: AssemblyOptions,
): Promise<AssembledService<State, Rec, Call, Outcome>> {
  const { name, config, layout, broker, clock, instance, log, onFatal, onFailpoint } = options;
  const metrics = new Metrics({
    service: name,
    values: { topic: [...definition.inputs, ...definition.tables] },
    unlisted: new UnlistedValues(
      (value) => log.warn({ event: "unlisted_value", ...value }, "a value that no label of a metric lists"),
      clock.monotonicMs,
    ),
  });
  const limits: RuntimeLimits = {
    ...defaultLimits,
    sessionTimeoutMs: config.sessionTimeoutMs,
    heartbeatIntervalMs: Math.max(100, Math.floor(config.sessionTimeoutMs / 12)),
    commitIntervalMs: config.commitIntervalMs,
    checkpointMs: config.checkpointMs,
    drainMs: config.drainMs,
    ...definition.limits,
  };
  const probe = metricsProbe(log, metrics);
  const stores = await storesOf(definition.changelog, options, probe);
  const service = new Service({
    ...definition,
    layout,
    broker,
    clock,
    stores,
    instance,
    limits,
    perform: counted(definition.perform, definition.measureCall, metrics, clock),
    probe,
    ...(onFailpoint === undefined ? {} : { onFailpoint }),
    onFatal,
  });
  const lag = new InputLag(broker.admin, layout.prefix);
  const { gauges } = definition;
  const { clockDifferenceMs } = options;
  const gathering = new Gathering({ service, metrics, clock, limits, lag, gauges, clockDifferenceMs });
  return {
    service,
    metrics: async () => {
      gathering.gather();
      return metrics.text();
    },
  };
}
