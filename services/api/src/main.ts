import { connectKafka, warnOfUnknownVariables } from "@sluice/process";
import { systemClock } from "@sluice/runtime";
import { createLog, Metrics, startAdminServer } from "@sluice/telemetry";
import { openApi } from "./api.ts";
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
const registry = new Metrics({ service: "api" });
const metrics = (): Promise<string> => registry.text();
const api = await openApi({
  broker,
  clock: systemClock(),
  layout,
  token: config.token ?? null,
  streamsMax: config.streamsMax,
  version,
  log: (event, fields) => log.warn(fields, event),
  metrics,
});
const { adminHost: host, adminPort: port } = config;
const health = { host, port, alive: () => true, checks: api.checks, metrics };
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
