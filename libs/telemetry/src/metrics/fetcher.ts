/** Of the fetcher: requests, what became of URLs, breakers, permits in hand. */
import { fetchCategories } from "@sluice/records";
import type { MetricTable } from "./definition.ts";

const services = ["fetcher"] as const;

const kinds = ["page", "robots"] as const;
const latencyBuckets = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export const fetcherMetrics = {
  sluice_fetcher_fetched_urls_total: {
    type: "counter",
    unit: "urls",
    services,
    labels: { category: fetchCategories },
    help: "URLs fetched and settled, each with one result, by category.",
  },
  sluice_fetcher_retried_urls_total: {
    type: "counter",
    unit: "urls",
    services,
    labels: { category: fetchCategories },
    help: "Tries that failed and will be made again, by category.",
  },
  sluice_fetcher_deferred_urls_total: {
    type: "counter",
    unit: "urls",
    services,
    labels: { reason: ["retry_after", "breaker", "robots", "paused", "other"] },
    help: "URLs sent back to the frontier with a due time, by reason.",
  },
  sluice_fetcher_refused_urls_total: {
    type: "counter",
    unit: "urls",
    services,
    labels: { reason: ["robots", "robots_unreachable", "cancelled", "blocked", "other"] },
    help: "URLs that are never fetched, by reason.",
  },
  sluice_fetcher_expired_urls_total: {
    type: "counter",
    unit: "urls",
    services,
    labels: {},
    help: "URLs sent back because their lease was over.",
  },
  sluice_fetcher_discovered_urls_total: {
    type: "counter",
    unit: "urls",
    services,
    labels: {},
    help: "Links in scope that were sent to the frontier, known ones included.",
  },
  sluice_fetcher_requests_total: {
    type: "counter",
    unit: "requests",
    services,
    labels: { kind: kinds, outcome: ["response", "failed", "breaker_open"] },
    help: "Requests by what was asked for and how they ended; with breaker_open none was made.",
  },
  sluice_fetcher_request_seconds: {
    type: "histogram",
    unit: "seconds",
    services,
    labels: { kind: kinds },
    buckets: latencyBuckets,
    help: "Time of a request, from its start to the end of the body or the failure.",
  },
  sluice_fetcher_first_byte_seconds: {
    type: "histogram",
    unit: "seconds",
    services,
    labels: {},
    buckets: latencyBuckets,
    help: "Time from a page's request to the first byte of its response.",
  },
  sluice_fetcher_body_bytes_total: {
    type: "counter",
    unit: "bytes",
    services,
    labels: {},
    help: "Bytes of page bodies in results, decoded.",
  },
  sluice_fetcher_wire_bytes_total: {
    type: "counter",
    unit: "bytes",
    services,
    labels: {},
    help: "Bytes of page bodies in results, as they came.",
  },
  sluice_fetcher_running_requests: {
    type: "gauge",
    unit: "requests",
    services,
    labels: { kind: kinds },
    help: "Requests asked for and not answered, those that wait for a slot included.",
  },
  sluice_fetcher_reader_calls: {
    type: "gauge",
    unit: "calls",
    services,
    labels: { state: ["reading", "waiting"] },
    help: "Bodies that threads read beside the event loop (large pages, selectors, sitemaps), and those that wait.",
  },
  sluice_fetcher_held_permits: {
    type: "gauge",
    unit: "permits",
    services,
    labels: { reason: ["ready", "politeness", "hold", "busy"] },
    help: "Permits taken in and not begun, by what holds them: politeness: the host's delay; hold: Retry-After, a breaker or robots.txt that can't be had; busy: a request to the host is under way; ready: nothing.",
  },
  sluice_fetcher_hosts: {
    type: "gauge",
    unit: "hosts",
    services,
    labels: {},
    help: "Hosts remembered.",
  },
  sluice_fetcher_hosts_limit: {
    type: "gauge",
    unit: "hosts",
    services,
    labels: {},
    help: "Beyond so many hosts, over the tasks of this instance, quiet ones are forgotten.",
  },
  sluice_fetcher_robots_entries: {
    type: "gauge",
    unit: "entries",
    services,
    labels: {},
    help: "Answers to robots.txt that are remembered.",
  },
  sluice_fetcher_breakers: {
    type: "gauge",
    unit: "breakers",
    services,
    labels: { state: ["closed", "open", "half_open"] },
    help: "Circuit breakers of hosts, by state; open also means due for a probe.",
  },
  sluice_fetcher_breakers_limit: {
    type: "gauge",
    unit: "breakers",
    services,
    labels: {},
    help: "Most breakers; then the one that was used longest ago is forgotten.",
  },
} as const satisfies MetricTable;
