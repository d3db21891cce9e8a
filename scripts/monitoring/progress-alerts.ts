import { rules, type AlertTable } from "./alert.ts";
import { max, sum } from "./promql.ts";
import { recorded } from "./recording-rules.ts";

const { gauge, rate, increase } = rules;
const installed = 'up{job=~"sluice.*"}';
const lag = recorded("job_service_topic:sluice_runtime_ready_lag_records:sum");

/** In an installation, none of a service answers: one that a crawl can't do without, or one that did answer. */
const missing = [
  ...["frontier", "rate-limit", "fetcher"].map(
    (service) =>
      `label_replace(group by (job) (${installed}) unless on (job) group by (job) (up{job=~"sluice.*",service="${service}"} == 1), "service", "${service}", "", "")`,
  ),
  `(group by (job, service) (max_over_time(${installed}[6h]) == 1) unless group by (job, service) (${installed} == 1))`,
].join(" or ");

/** Whether there is anything at all, and whether it moves. */
export const progressAlerts = {
  SluiceMetricsMissing: {
    severity: "page",
    for: "5m",
    expression: `absent(${installed})`,
    summary: "No service of Sluice is scraped",
    description: "Prometheus has no target whose job begins with sluice: nothing can be said of the crawl.",
  },
  SluiceServiceMissing: {
    severity: "page",
    for: "2m",
    expression: missing,
    summary: "A service does not run at all",
    description: "Not one {{ $labels.service }} of {{ $labels.job }} answers.",
  },
  SluiceInstanceDown: {
    severity: "ticket",
    for: "5m",
    expression: `${installed} == 0`,
    summary: "A process can't be scraped",
    description: "{{ $labels.service }} at {{ $labels.instance }} does not answer on its admin port.",
  },
  SluiceRestarting: {
    severity: "ticket",
    for: "5m",
    expression: `${sum(["job", "service"], `changes(${gauge("sluice_process_start_time_seconds")}[30m])`)} > 3`,
    summary: "A service dies again and again",
    description: "{{ $labels.service }} was started anew {{ $value }} times within 30 minutes.",
  },
  SluiceNoProgress: {
    severity: "page",
    for: "10m",
    expression: `${recorded("job:sluice_ready_urls:sum")} > 0 and on (job) ${recorded("job:sluice_frontier_answered_urls:rate5m")} == 0`,
    summary: "There is work, and none of it is done",
    description:
      "{{ $value }} URLs of {{ $labels.job }} may be fetched now, and no URL was answered for 15 minutes.",
  },
  SluiceLagGrows: {
    severity: "ticket",
    for: "10m",
    expression: `${lag} and min_over_time(${lag}[10m]) > 1000 and deriv(${lag}[10m]) > 1`,
    summary: "A service falls behind its input, and politeness is not the cause",
    description:
      "{{ $labels.service }} is {{ $value }} records behind in {{ $labels.topic }}, and it becomes more.",
  },
  SluiceRecordStuck: {
    severity: "page",
    for: "5m",
    expression: `${max(["job", "service", "instance"], gauge("sluice_runtime_oldest_unfinished_seconds"))} > 900 and ${max(["job", "service", "instance"], `deriv(${gauge("sluice_runtime_oldest_unfinished_seconds")}[10m])`)} > 0.9`,
    summary: "A record is not finished, however long one waits",
    description:
      "The oldest record of {{ $labels.service }} at {{ $labels.instance }} is {{ $value | humanizeDuration }} old and ages like a clock.",
  },
  SluiceLeasesOverdue: {
    severity: "page",
    for: "10m",
    expression: `${sum(["job"], gauge("sluice_frontier_overdue_urls"))} > 0`,
    summary: "URLs were released and never answered",
    description:
      "{{ $value }} URLs of {{ $labels.job }} are past their lease without an answer; nothing else releases them again.",
  },
  SluiceLeasesExpire: {
    severity: "ticket",
    for: "15m",
    expression: `(${sum(["job"], rate("sluice_rate_limit_expired_urls_total"))} + ${sum(["job"], rate("sluice_fetcher_expired_urls_total"))}) / ${sum(["job"], rate("sluice_frontier_released_urls_total"))} > 0.1`,
    summary: "Many releases come back because their lease was over",
    description:
      "{{ $value | humanizePercentage }} of the URLs that {{ $labels.job }} releases are not begun within their lease.",
  },
  SluiceJobFailed: {
    severity: "ticket",
    for: "1m",
    expression: `${sum(["job"], increase("sluice_frontier_ended_jobs_total", { reason: "failed" }, "15m"))} > 0`,
    summary: "A crawl job failed as a whole",
    description: "{{ $value | humanize }} jobs of {{ $labels.job }} failed within 15 minutes.",
  },
  SluiceFetchersSaturated: {
    severity: "note",
    for: "30m",
    expression: `${sum(["job"], gauge("sluice_runtime_running_calls", { service: "fetcher" }))} / ${sum(["job"], gauge("sluice_runtime_running_calls_limit", { service: "fetcher" }))} > 0.95 and on (job) ${sum(["job"], gauge("sluice_runtime_waiting_calls", { service: "fetcher" }))} > 0`,
    summary: "Every slot of every fetcher is taken",
    description:
      "{{ $value | humanizePercentage }} of the slots of {{ $labels.job }} are busy and more requests wait: more fetchers would be faster.",
  },
} as const satisfies AlertTable;
