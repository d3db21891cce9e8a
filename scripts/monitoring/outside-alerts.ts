import { rules, type AlertTable } from "./alert.ts";
import { max, sum } from "./promql.ts";
import { recorded } from "./recording-rules.ts";

const { gauge, rate, increase, quantile } = rules;
const tries = recorded("job:sluice_fetcher_tries:rate5m");
const breakers = sum(["job"], gauge("sluice_fetcher_breakers"));

/** What lies outside: hosts, the disk of results, clients of the API. */
export const outsideAlerts = {
  SluiceHostsUnreached: {
    severity: "page",
    for: "10m",
    expression: `${recorded("job:sluice_fetcher_unreached_tries:rate5m")} / ${tries} > 0.5 and on (job) ${tries} > 0.1`,
    summary: "Most tries do not reach their host",
    description:
      "{{ $value | humanizePercentage }} of the tries of {{ $labels.job }} end in name, connection or time-out failures.",
  },
  SluiceHostsPushBack: {
    severity: "ticket",
    for: "15m",
    expression: `${recorded("job:sluice_fetcher_pushed_back_tries:rate5m")} / ${tries} > 0.1 and on (job) ${tries} > 0.1`,
    summary: "Hosts say that we ask too often",
    description: "{{ $value | humanizePercentage }} of the tries of {{ $labels.job }} are answered 429.",
  },
  SluiceBreakersOpen: {
    severity: "page",
    for: "10m",
    expression: `${sum(["job"], gauge("sluice_fetcher_breakers", { state: ["open", "half_open"] }))} / ${breakers} > 0.5 and on (job) ${breakers} >= 20`,
    summary: "Most circuit breakers are open",
    description:
      "{{ $value | humanizePercentage }} of the breakers of {{ $labels.job }} are open: hosts do not fail all at once, our way to them does.",
  },
  SluiceBackPressureHolds: {
    severity: "ticket",
    for: "15m",
    expression: `${sum(["job"], gauge("sluice_frontier_waiting_urls", { reason: "back_pressure" }))} > 0`,
    summary: "The crawl stands, since a reader of results lags",
    description:
      "{{ $value }} URLs of {{ $labels.job }} are not released until a group of SLUICE_BACKPRESSURE_GROUPS has caught up.",
  },
  SluiceSinkFails: {
    severity: "page",
    for: "2m",
    expression: `${sum(["job", "instance"], gauge("sluice_result_sink_failing_tasks"))} > 0`,
    summary: "Results can't be written",
    description:
      "The last writes of {{ $value }} tasks of result-sink at {{ $labels.instance }} failed; they are tried again for ever.",
  },
  SluiceSinkStalled: {
    severity: "page",
    for: "5m",
    expression: `${sum(["job"], gauge("sluice_result_sink_waiting_rows"))} + ${sum(["job"], gauge("sluice_result_sink_batch_rows"))} > 0 and on (job) ${sum(["job"], increase("sluice_result_sink_written_rows_total"))} == 0`,
    summary: "Results wait and none is written",
    description:
      "{{ $value }} results of {{ $labels.job }} wait in result-sink, and not one was written for 5 minutes.",
  },
  SluiceResultsLate: {
    severity: "ticket",
    for: "15m",
    expression: `${quantile(0.5, "sluice_result_sink_delivery_seconds", ["job"])} > 60`,
    summary: "Results are written long after their fetch",
    description:
      "Half of the results of {{ $labels.job }} are written more than {{ $value | humanizeDuration }} after their fetch.",
  },
  SluiceApiErrors: {
    severity: "ticket",
    for: "10m",
    expression: `${sum(["job"], rate("sluice_api_requests_total", { status: "5xx" }))} / ${sum(["job"], rate("sluice_api_requests_total"))} > 0.05`,
    summary: "The API answers with errors of its own",
    description:
      "{{ $value | humanizePercentage }} of the requests to the API of {{ $labels.job }} are answered 5xx.",
  },
  SluiceStreamsFull: {
    severity: "ticket",
    for: "5m",
    expression: `${max(["job", "instance"], `sum without (kind) (${gauge("sluice_api_open_streams")})`)} / ${max(["job", "instance"], gauge("sluice_api_open_streams_limit"))} > 0.9`,
    summary: "Hardly any stream is left for clients",
    description:
      "{{ $value | humanizePercentage }} of the streams of the API at {{ $labels.instance }} are taken; at the limit clients are answered 429.",
  },
} as const satisfies AlertTable;
