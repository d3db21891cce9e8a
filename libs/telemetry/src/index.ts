export { startAdminServer, type AdminServer } from "./admin-server.ts";
export { createLog, type Log } from "./log.ts";
export { Metrics, type MetricsOptions } from "./metric-registry.ts";
export { metricDefinitions, type Measurement, type MetricName } from "./metrics.ts";
export { Reminders } from "./reminders.ts";
export { UnlistedValues, type UnlistedValue } from "./unlisted-values.ts";
export { serviceNames, units, type MetricDefinition, type ServiceName } from "./metrics/definition.ts";
