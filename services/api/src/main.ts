import { connectKafka, openBrokerClock, warnOfUnknownVariables } from "@sluice/process";
import { systemClock } from "@sluice/runtime";
import { createLog, Metrics, UnlistedValues, startAdminServer } from "@sluice/telemetry";
import { openApi } from "./api.ts";
import { directServices } from "./direct-services.ts";
import { endOnBugs, endOnSignals, orRefuse } from "./lifetime.ts";
import { readSettings } from "./settings.ts";
import { version } from "./version.ts";

const { config, layout, instance, shown } = orRefuse(() => readSettings(process.env));
const log = createLog("api", instance, config.logLevel);
const fatal = endOnBugs(log);
log.info({ settings: shown }, "starting");

warnOfUnknownVariables(log, process.env);
const clientId = `${layout.prefix}api-${instance}`;
const broker = await connectKafka({ config, clientId, layout, log });
const onClock = (event: string, fields: object): void => log.warn(fields, event);
// Services that it runs itself share leases and due times with those of other processes.
const clock = await openBrokerClock({ broker, layout, clock: systemClock(), onEvent: onClock });
const directInstance = `api-${instance}`;
const host = {
  env: process.env,
  config,
  layout,
  broker,
  clock,
  instance: directInstance,
  logOf: (service: string) => createLog(service, directInstance, config.logLevel),
  onFatal: fatal,
};
/** Of what the API tells, what is no trouble. */
const expected: ReadonlySet<string> = new Set(["direct_starting", "direct_stopping"]);
const api = await openApi({
  broker,
  clock,
  layout,
  token: config.token ?? null,
  streamsMax: config.streamsMax,
  jobsKeptMs: config.jobsKeptMs === 0 ? null : config.jobsKeptMs,
  version,
  log: (event, fields) => (expected.has(event) ? log.info(fields, event) : log.warn(fields, event)),
  metrics: new Metrics({
    service: "api",
    unlisted: new UnlistedValues(
      (value) => log.warn({ event: "unlisted_value", ...value }, "a value that no label of a metric lists"),
      clock.monotonicMs,
    ),
  }),
  direct: config.direct ? { services: directServices(process.env), host } : null,
});
const { adminHost, adminPort: port } = config;
const health = { host: adminHost, port, alive: () => true, checks: api.checks, metrics: api.metrics };
const admin = port === 0 ? null : await startAdminServer(health);
const address = await api.app.listen({ host: config.host, port: config.port });
log.info({ address }, "listening");

const close = async (): Promise<void> => {
  await admin?.close();
  await api.close();
  await broker.close();
};
endOnSignals(log, close, fatal);
process.send?.({ kind: "started" });
