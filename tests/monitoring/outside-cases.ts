import type { outsideAlerts } from "../../scripts/monitoring/outside-alerts.ts";
import { expected, input, type AlertCase, type Input } from "./alert-case.ts";

const fetched = (category: string, values: string): Input =>
  input("sluice_fetcher_fetched_urls_total", { service: "fetcher", category }, values);
const retried = (category: string, values: string): Input =>
  input("sluice_fetcher_retried_urls_total", { service: "fetcher", category }, values);
const breakers = (state: string, values: string, job = "sluice"): Input =>
  input("sluice_fetcher_breakers", { job, service: "fetcher", state }, values);
const waiting = (reason: string, values: string): Input =>
  input("sluice_frontier_waiting_urls", { service: "frontier", reason }, values);
const sink = { service: "result-sink" };
const sinkRows = (rows: string, inBatches: string, written: string): readonly Input[] => [
  input("sluice_result_sink_waiting_rows", sink, rows),
  input("sluice_result_sink_batch_rows", sink, inBatches),
  input("sluice_result_sink_written_rows_total", sink, written),
];
const delivered = (le: string, values: string): Input =>
  input("sluice_result_sink_delivery_seconds_bucket", { ...sink, le }, values);
const requests = (status: string, values: string): Input =>
  input("sluice_api_requests_total", { service: "api", status, method: "GET", route: "/v1/jobs" }, values);
const streams = (events: string, results: string): readonly Input[] => [
  input("sluice_api_open_streams", { service: "api", kind: "events" }, events),
  input("sluice_api_open_streams", { service: "api", kind: "results" }, results),
  input("sluice_api_open_streams_limit", { service: "api" }, "256x40"),
];

export const outsideCases: Readonly<Record<keyof typeof outsideAlerts, AlertCase>> = {
  SluiceHostsUnreached: {
    fires: {
      given: [
        fetched("ok", "0+2x40"),
        fetched("dns", "0+0x40"),
        retried("dns", "0+5x40"),
        retried("timeout_connect", "0+3x40"),
      ],
      atMinute: 14,
      alerts: [expected("80% of the tries of sluice end in name, connection or time-out failures.")],
    },
    quiet: {
      because: "pages that are missing or broken were reached, and one failure a minute is no wave",
      given: [
        fetched("http_4xx", "0+90x40"),
        fetched("dns", "0+30x40"),
        retried("http_5xx", "0+70x40"),
        input("sluice_fetcher_fetched_urls_total", { job: "sluice-small", category: "dns" }, "0+1x40"),
        input("sluice_fetcher_retried_urls_total", { job: "sluice-small", category: "dns" }, "0+1x40"),
      ],
      atMinute: 20,
    },
  },
  SluiceHostsPushBack: {
    fires: {
      given: [fetched("ok", "0+80x60"), fetched("http_429", "0+0x60"), retried("http_429", "0+20x60")],
      atMinute: 16,
      alerts: [expected("20% of the tries of sluice are answered 429.")],
    },
    quiet: {
      because: "one host in a hundred does",
      given: [fetched("ok", "0+99x60"), fetched("http_429", "0+0x60"), retried("http_429", "0+1x60")],
      atMinute: 30,
    },
  },
  SluiceBreakersOpen: {
    fires: {
      given: [breakers("closed", "10x40"), breakers("open", "29x40"), breakers("half_open", "1x40")],
      atMinute: 10,
      alerts: [
        expected(
          "75% of the breakers of sluice are open: hosts do not fail all at once, our way to them does.",
        ),
      ],
    },
    quiet: {
      because: "three of four hosts are down, which says nothing of us, or 40 of 100",
      given: [
        breakers("closed", "1x40"),
        breakers("open", "3x40"),
        breakers("closed", "60x40", "sluice-b"),
        breakers("open", "40x40", "sluice-b"),
      ],
      atMinute: 20,
    },
  },
  SluiceBackPressureHolds: {
    fires: {
      given: [waiting("back_pressure", "900x40")],
      atMinute: 15,
      alerts: [
        expected(
          "900 URLs of sluice are not released until a group of SLUICE_BACKPRESSURE_GROUPS has caught up.",
        ),
      ],
    },
    quiet: {
      because: "it held for ten minutes and let go",
      given: [waiting("back_pressure", "900x10 0x30"), waiting("window", "900x40")],
      atMinute: 20,
    },
  },
  SluiceSinkFails: {
    fires: {
      given: [input("sluice_result_sink_failing_tasks", sink, "0x5 3x20")],
      atMinute: 8,
      alerts: [
        expected(
          "The last writes of 3 tasks of result-sink at a:9464 failed; they are tried again for ever.",
          {
            instance: "a:9464",
          },
        ),
      ],
    },
    quiet: {
      because: "the second try went well",
      given: [input("sluice_result_sink_failing_tasks", sink, "0x5 3x0 0x20")],
      atMinute: 10,
    },
  },
  SluiceSinkStalled: {
    fires: {
      given: sinkRows("400x40", "100x40", "0+10x5 50x35"),
      atMinute: 15,
      alerts: [expected("500 results of sluice wait in result-sink, and not one was written for 5 minutes.")],
    },
    quiet: {
      because: "nothing is written, but nothing waits",
      given: sinkRows("0x40", "0x40", "50x40"),
      atMinute: 20,
    },
  },
  SluiceResultsLate: {
    fires: {
      given: [delivered("60", "0+0x60"), delivered("300", "0+100x60"), delivered("+Inf", "0+100x60")],
      atMinute: 16,
      alerts: [expected("Half of the results of sluice are written more than 3m 0s after their fetch.")],
    },
    quiet: {
      because: "most are in time",
      given: [delivered("60", "0+90x60"), delivered("300", "0+100x60"), delivered("+Inf", "0+100x60")],
      atMinute: 30,
    },
  },
  SluiceApiErrors: {
    fires: {
      given: [requests("2xx", "0+90x40"), requests("5xx", "0+10x40")],
      atMinute: 11,
      alerts: [expected("10% of the requests to the API of sluice are answered 5xx.")],
    },
    quiet: {
      because: "mistakes of clients are theirs",
      given: [requests("2xx", "0+90x40"), requests("4xx", "0+90x40"), requests("5xx", "0+1x40")],
      atMinute: 20,
    },
  },
  SluiceStreamsFull: {
    fires: {
      given: streams("200x40", "40x40"),
      atMinute: 5,
      alerts: [
        expected(
          "93.75% of the streams of the API at a:9464 are taken; at the limit clients are answered 429.",
          { instance: "a:9464" },
        ),
      ],
    },
    quiet: { because: "four of five are taken", given: streams("200x40", "5x40"), atMinute: 10 },
  },
};
