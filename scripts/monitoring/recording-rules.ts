/** What several alerts ask for, worked out once. Names are `labels:metric:operation`. */
import { unreachedFailures } from "@sluice/records";
import { promql, sum } from "./promql.ts";

const rules = promql([], "5m");
const { gauge, rate } = rules;

const tries = `${sum(["job"], rate("sluice_fetcher_fetched_urls_total"))} + ${sum(["job"], rate("sluice_fetcher_retried_urls_total"))}`;

export const recordingRules = {
  "job:sluice_fetcher_tries:rate5m": tries,
  "job:sluice_fetcher_unreached_tries:rate5m": `${sum(["job"], rate("sluice_fetcher_fetched_urls_total", { category: unreachedFailures }))} + ${sum(["job"], rate("sluice_fetcher_retried_urls_total", { category: unreachedFailures }))}`,
  "job:sluice_fetcher_pushed_back_tries:rate5m": `${sum(["job"], rate("sluice_fetcher_fetched_urls_total", { category: "http_429" }))} + ${sum(["job"], rate("sluice_fetcher_retried_urls_total", { category: "http_429" }))}`,
  "job:sluice_frontier_answered_urls:rate5m": sum(["job"], rate("sluice_frontier_answered_urls_total")),
  "job:sluice_ready_urls:sum": `${sum(["job"], gauge("sluice_fetch_ready"))} + ${sum(["job"], gauge("sluice_frontier_waiting_urls", { reason: "ready" }))}`,
  "job_service_topic:sluice_runtime_ready_lag_records:sum": sum(
    ["job", "service", "topic"],
    gauge("sluice_runtime_lag_records", { state: "ready" }),
  ),
  "job_service:sluice_runtime_tasks:sum": sum(["job", "service"], gauge("sluice_runtime_tasks")),
} as const;

export type RecordedName = keyof typeof recordingRules;

/** The name of a recorded series. */
export const recorded = (name: RecordedName): string => name;
