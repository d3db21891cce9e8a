/** Of the process itself, the same in every service. */
import { serviceNames, type MetricTable } from "./definition.ts";

const services = serviceNames;

export const processMetrics = {
  sluice_process_event_loop_delay_seconds: {
    type: "gauge",
    unit: "seconds",
    services,
    labels: { quantile: ["0.5", "0.99", "1"] },
    help: "How late the event loop was, since the last scrape; quantile 1 is the longest delay.",
  },
  sluice_process_cpu_seconds_total: {
    type: "counter",
    unit: "seconds",
    services,
    labels: { mode: ["user", "system"] },
    help: "CPU time used.",
  },
  sluice_process_memory_bytes: {
    type: "gauge",
    unit: "bytes",
    services,
    labels: { kind: ["resident", "heap", "heap_used", "external"] },
    help: "Memory: resident: of the process; heap and heap_used: of JavaScript; external: buffers and what libraries hold.",
  },
  sluice_process_heap_bytes_limit: {
    type: "gauge",
    unit: "bytes",
    services,
    labels: {},
    help: "Most bytes of the JavaScript heap; beyond it the process ends.",
  },
  sluice_process_start_time_seconds: {
    type: "gauge",
    unit: "seconds",
    services,
    labels: {},
    help: "When the process started, in seconds since 1970.",
  },
  sluice_process_unlisted_values_total: {
    type: "counter",
    unit: "values",
    services,
    labels: {},
    help: "Values of labels of other metrics that are in no table and counted there as `other`; the log says which.",
  },
} as const satisfies MetricTable;
