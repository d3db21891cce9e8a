/** Of the frontier: known URLs, what waits and why, credits, jobs. */
import type { MetricTable } from "./definition.ts";

const services = ["frontier"] as const;

export const frontierMetrics = {
  sluice_frontier_released_urls_total: {
    type: "counter",
    unit: "urls",
    services,
    labels: {},
    help: "URLs released to crawl.due.",
  },
  sluice_frontier_answered_urls_total: {
    type: "counter",
    unit: "urls",
    services,
    labels: { kind: ["settled", "retry", "deferred", "expired", "refused"] },
    help: "Outcomes read, by kind: each answers one release.",
  },
  sluice_frontier_refused_urls_total: {
    type: "counter",
    unit: "urls",
    services,
    labels: { reason: ["invalid_url", "blocked", "other"] },
    help: "Seeds of a job that are no URLs to crawl, and URLs of hosts that are blocked, by reason.",
  },
  sluice_frontier_ended_jobs_total: {
    type: "counter",
    unit: "jobs",
    services,
    labels: { reason: ["completed", "max_pages", "cancelled", "failed", "timeout"] },
    help: "Runs of jobs that ended, by reason.",
  },
  sluice_frontier_known_urls: {
    type: "gauge",
    unit: "urls",
    services,
    labels: {},
    help: "URLs that are kept as known, over all jobs.",
  },
  sluice_frontier_urls: {
    type: "gauge",
    unit: "urls",
    services,
    labels: { state: ["waiting", "released", "done", "failed", "skipped"] },
    help: "URLs admitted in the present run of each job, by what became of them; their sum is what was admitted.",
  },
  sluice_frontier_waiting_urls: {
    type: "gauge",
    unit: "urls",
    services,
    labels: { reason: ["ready", "window", "total", "grant", "due_time", "paused", "back_pressure"] },
    help: "URLs admitted and not released, by what holds them: due_time: not before an instant, for politeness, a retry or a back-off; window: the host has its window of releases out; total: the task has; grant: a page grant is asked for; paused: the job, or its record is awaited; back_pressure: readers of results lag; ready: nothing.",
  },
  sluice_frontier_unanswered_urls: {
    type: "gauge",
    unit: "urls",
    services,
    labels: {},
    help: "URLs released and not answered: the credits that are out.",
  },
  sluice_frontier_unanswered_urls_limit: {
    type: "gauge",
    unit: "urls",
    services,
    labels: {},
    help: "Most URLs released and not answered, over the tasks of this instance.",
  },
  sluice_frontier_overdue_urls: {
    type: "gauge",
    unit: "urls",
    services,
    labels: {},
    help: "URLs released, not answered, and past their lease: only an answer releases them again, so more than 0 for long is a lost one.",
  },
  sluice_frontier_hosts: {
    type: "gauge",
    unit: "hosts",
    services,
    labels: { state: ["ready", "held", "window", "answering"] },
    help: "Hosts with something waiting or released: ready to release; held by pause, grant or back-pressure; window: all that may be out is; answering: nothing waits, something is out.",
  },
  sluice_frontier_jobs: {
    type: "gauge",
    unit: "jobs",
    services,
    labels: { state: ["running", "paused", "ending", "ended"] },
    help: "Jobs owned by this instance, by state; each job has one owner.",
  },
  sluice_frontier_pending_records: {
    type: "gauge",
    unit: "records",
    services,
    labels: {},
    help: "Links and seeds that wait for the job they name to be known.",
  },
  sluice_frontier_pending_records_limit: {
    type: "gauge",
    unit: "records",
    services,
    labels: {},
    help: "Most of them, over topics and tasks of this instance; then the topic waits.",
  },
  sluice_frontier_downstream_lag_records: {
    type: "gauge",
    unit: "records",
    services,
    labels: {},
    help: "Lag of the reader of results that is furthest behind, among those that hold the crawl.",
  },
  sluice_frontier_downstream_lag_records_limit: {
    type: "gauge",
    unit: "records",
    services,
    labels: {},
    help: "Above this lag nothing is released, until it has fallen to half.",
  },
} as const satisfies MetricTable;
