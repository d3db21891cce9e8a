/** A service inside the process of another one: the same definition, runtime and group as in its own process. */
import { readConfig, type CommonConfig, type Settings, type Values } from "@sluice/config";
import type { TopicLayout } from "@sluice/records";
import type { Broker, Clock } from "@sluice/runtime";
import type { Log, ServiceName } from "@sluice/telemetry";
import type { InputRecord } from "@sluice/topology";
import { assembleService } from "./assembly.ts";
import { readinessChecks, type Check } from "./readiness.ts";
import { runProcess, type ProcessContext, type ServiceDefinition } from "./run.ts";

/** What the process gives to the services that it runs. */
export interface ServiceHost {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly config: CommonConfig;
  readonly layout: TopicLayout;
  readonly broker: Broker;
  readonly clock: Clock;
  /** Name of the instance in the service's group: another one than any other process has. */
  readonly instance: string;
  readonly logOf: (service: ServiceName) => Log;
  /** A bug: nothing of the service can be believed any more. */
  readonly onFatal: (error: Error) => void;
}

export interface HostedService {
  readonly name: ServiceName;
  readonly checks: () => Readonly<Record<string, Check>>;
  /** Text of /metrics of this service alone. */
  readonly metrics: () => Promise<string>;
  /** Drains, commits and leaves the group. */
  stop(): Promise<void>;
}

/** What the package of a service exports. */
export interface HostableService {
  readonly name: ServiceName;
  /** The whole life of a process of its own. */
  readonly run: () => Promise<void>;
  /** @throws SluiceError SLUICE_CONFIG_INVALID */
  readonly checkSettings: (env: ServiceHost["env"]) => void;
  /** Inside another process: joins the service's group. */
  readonly start: (host: ServiceHost) => Promise<HostedService>;
}

/** @param own the settings of the service beside those of every service, as for `runProcess` */
export function hostable<State, Rec extends InputRecord, Call, Outcome, Own extends Settings>(
  name: ServiceName,
  own: Own,
  define: (
    context: ProcessContext<Own>,
  ) => Promise<ServiceDefinition<State, Rec, Call, Outcome>> | ServiceDefinition<State, Rec, Call, Outcome>,
): HostableService {
  return {
    name,
    run: () => runProcess(name, own, define),
    checkSettings: (env) => void readConfig(own, env),
    start: async (host) => {
      const { layout, broker, clock, instance, onFatal } = host;
      const config = { ...host.config, ...readConfig(own, host.env) } as unknown as CommonConfig &
        Values<Own>;
      const log = host.logOf(name);
      const definition = await define({ config, layout, broker, clock, log });
      const options = { name, config, layout, broker, clock, instance, log, onFatal };
      const { service, metrics } = await assembleService(definition, options);
      await service.start();
      const endBeside = definition.beside?.(service);
      return {
        name,
        checks: () => readinessChecks(service),
        metrics,
        stop: async () => {
          endBeside?.();
          await service.stop();
          await definition.close?.();
        },
      };
    },
  };
}
