/** Of the api: requests and streams. */
import type { MetricTable } from "./definition.ts";

const services = ["api"] as const;

export const apiMetrics = {
  sluice_api_requests_total: {
    type: "counter",
    unit: "requests",
    services,
    labels: {
      route: null,
      method: ["GET", "POST", "PATCH", "DELETE", "other"],
      status: ["2xx", "3xx", "4xx", "5xx"],
    },
    help: "HTTP requests answered, by route (as declared, not as asked for), method and class of status.",
  },
  sluice_api_request_seconds: {
    type: "histogram",
    unit: "seconds",
    services,
    labels: {},
    buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5],
    help: "Time until a request was answered, streams left out.",
  },
  sluice_api_removed_jobs_total: {
    type: "counter",
    unit: "jobs",
    services,
    labels: { by: ["request", "expiry"] },
    help: "Jobs removed after their end, because somebody asked for it or their time was over.",
  },
  sluice_api_open_streams: {
    type: "gauge",
    unit: "streams",
    services,
    labels: { kind: ["events", "results"] },
    help: "Streams that are open, by what they carry.",
  },
  sluice_api_open_streams_limit: {
    type: "gauge",
    unit: "streams",
    services,
    labels: {},
    help: "Most streams open at once; further ones are refused with 429.",
  },
  sluice_api_streamed_events_total: {
    type: "counter",
    unit: "events",
    services,
    labels: {},
    help: "Events sent to clients.",
  },
  sluice_api_ended_streams_total: {
    type: "counter",
    unit: "streams",
    services,
    labels: { reason: ["complete", "client", "slow", "shutdown", "failed"] },
    help: "Streams that ended: complete: there is nothing more to come; client: it went away; slow: it read too slowly; shutdown: of this process; failed: of the source.",
  },
} as const satisfies MetricTable;
