/** Of rate-limit: permits, waits, hosts by what holds them. */
import type { MetricTable } from "./definition.ts";

const services = ["rate-limit"] as const;

export const rateLimitMetrics = {
  sluice_rate_limit_issued_permits_total: {
    type: "counter",
    unit: "permits",
    services,
    labels: {},
    help: "Permits issued.",
  },
  sluice_rate_limit_deferred_urls_total: {
    type: "counter",
    unit: "urls",
    services,
    labels: { reason: ["queue", "retry_after", "back_off", "breaker", "crawl_delay", "cap"] },
    help: "URLs sent back to the frontier with a due time, by what made the wait too long.",
  },
  sluice_rate_limit_expired_urls_total: {
    type: "counter",
    unit: "urls",
    services,
    labels: {},
    help: "URLs sent back because their lease was over.",
  },
  sluice_rate_limit_refused_urls_total: {
    type: "counter",
    unit: "urls",
    services,
    labels: { reason: ["host_unreachable", "blocked", "other"] },
    help: "URLs given up, by reason.",
  },
  sluice_rate_limit_wait_seconds: {
    type: "histogram",
    unit: "seconds",
    services,
    labels: {},
    buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
    help: "Time from the release of a URL to the instant its permit is for.",
  },
  sluice_rate_limit_waiting_urls: {
    type: "gauge",
    unit: "urls",
    services,
    labels: { reason: ["ready", "politeness", "retry_after", "back_off", "breaker", "dead"] },
    help: "URLs that wait for a permit, by what holds them: politeness: another URL of the host, or the host's delay, comes first; dead: the host is given up and one probe is out; ready: nothing.",
  },
  sluice_rate_limit_unanswered_permits: {
    type: "gauge",
    unit: "permits",
    services,
    labels: {},
    help: "Permits issued and not answered.",
  },
  sluice_rate_limit_hosts: {
    type: "gauge",
    unit: "hosts",
    services,
    labels: { state: ["idle", "ready", "politeness", "retry_after", "back_off", "breaker", "dead"] },
    help: "Hosts remembered, by what they do now: idle: nothing waits and no permit is out; ready: it is being asked or may be; the others have something waiting that may not go.",
  },
  sluice_fetch_ready: {
    type: "gauge",
    unit: "urls",
    services,
    labels: {},
    help: "URLs that may be fetched now: permits issued and not answered, and URLs whose host could be asked at once. Those held for politeness are not in it. Fetchers are scaled by it.",
  },
} as const satisfies MetricTable;
