export { startAdminServer, type AdminServer } from "./admin-server.ts";
export { createLog, type Log } from "./log.ts";
export { metricDefinitions, Metrics, type MetricDefinition, type MetricName } from "./metrics.ts";
