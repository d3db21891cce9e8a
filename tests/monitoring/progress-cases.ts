import type { progressAlerts } from "../../scripts/monitoring/progress-alerts.ts";
import { expected, input, type AlertCase, type Input } from "./alert-case.ts";

const up = (service: string, values: string, instance = `${service}:9464`): Input =>
  input("up", { service, instance }, values);
const allUp = ["frontier", "rate-limit", "fetcher"].map((service) => up(service, "1x60"));
const started = (values: string): Input =>
  input("sluice_process_start_time_seconds", { service: "fetcher" }, values);
const ready = (permits: string, waiting: string): readonly Input[] => [
  input("sluice_fetch_ready", { service: "rate-limit" }, permits),
  input("sluice_frontier_waiting_urls", { service: "frontier", reason: "ready" }, waiting),
];
const answered = (values: string): Input =>
  input("sluice_frontier_answered_urls_total", { service: "frontier", kind: "settled" }, values);
const lag = (state: string, values: string): Input =>
  input("sluice_runtime_lag_records", { service: "fetcher", topic: "crawl.permits", state }, values);
const oldest = (values: string): Input =>
  input("sluice_runtime_oldest_unfinished_seconds", { service: "fetcher" }, values);
const calls = (running: string, waiting: string): readonly Input[] => [
  input("sluice_runtime_running_calls", { service: "fetcher" }, running),
  input("sluice_runtime_running_calls_limit", { service: "fetcher" }, "64x60"),
  input("sluice_runtime_waiting_calls", { service: "fetcher" }, waiting),
];

export const progressCases: Readonly<Record<keyof typeof progressAlerts, AlertCase>> = {
  SluiceMetricsMissing: {
    fires: {
      given: [input("up", { job: "node" }, "1x20")],
      at: "10m",
      alerts: [
        {
          labels: {},
          description:
            "Prometheus has no target whose job begins with sluice: nothing can be said of the crawl.",
        },
      ],
    },
    quiet: { because: "a target that does not answer is there", given: [up("frontier", "0x20")], at: "10m" },
  },
  SluiceServiceMissing: {
    fires: {
      given: [up("frontier", "1x20"), up("rate-limit", "1x20"), up("result-sink", "1x5 _x15")],
      at: "15m",
      alerts: ["fetcher", "result-sink"].map((service) =>
        expected(`Not one ${service} of sluice answers.`, { service }),
      ),
    },
    quiet: {
      because: "one of two fetchers is down, and nobody has ever started an api",
      given: [...allUp, up("fetcher", "0x60", "other:9464")],
      at: "15m",
    },
  },
  SluiceInstanceDown: {
    fires: {
      given: [up("fetcher", "1x5 0x15")],
      at: "12m",
      alerts: [
        expected("fetcher at fetcher:9464 does not answer on its admin port.", {
          service: "fetcher",
          instance: "fetcher:9464",
        }),
      ],
    },
    quiet: {
      because: "it was away for three minutes only",
      given: [up("fetcher", "1x5 0x2 1x13")],
      at: "12m",
    },
  },
  SluiceRestarting: {
    fires: {
      given: [started("1000+120x40")],
      at: "20m",
      alerts: [expected("fetcher was started anew 20 times within 30 minutes.", { service: "fetcher" })],
    },
    quiet: { because: "it was started anew once", given: [started("1000x9 1600x40")], at: "20m" },
  },
  SluiceNoProgress: {
    fires: {
      given: [...ready("7x40", "5x40"), answered("0+20x5 100x35")],
      at: "25m",
      alerts: [expected("12 URLs of sluice may be fetched now, and no URL was answered for 15 minutes.")],
    },
    quiet: {
      because: "what waits is held for politeness",
      given: [...ready("0x40", "0x40"), answered("100x40")],
      at: "25m",
    },
  },
  SluiceLagGrows: {
    fires: {
      given: [lag("ready", "0+200x60")],
      at: "40m",
      alerts: [
        expected("fetcher is 8000 records behind in crawl.permits, and it becomes more.", {
          service: "fetcher",
          topic: "crawl.permits",
        }),
      ],
    },
    quiet: {
      because: "what grows is politely held, and a great lag that shrinks is being worked off",
      given: [lag("held", "0+200x60"), lag("ready", "90000-500x60")],
      at: "40m",
    },
  },
  SluiceRecordStuck: {
    fires: {
      given: [oldest("0+60x60")],
      at: "25m",
      alerts: [
        expected("The oldest record of fetcher at a:9464 is 25m 0s old and ages like a clock.", {
          service: "fetcher",
          instance: "a:9464",
        }),
      ],
    },
    quiet: {
      because: "records are old but it works through them, as after a long stop",
      given: [oldest("7200-30x60")],
      at: "25m",
    },
  },
  SluiceLeasesOverdue: {
    fires: {
      given: [input("sluice_frontier_overdue_urls", { service: "frontier" }, "0x5 3x30")],
      at: "20m",
      alerts: [
        expected(
          "3 URLs of sluice are past their lease without an answer; nothing else releases them again.",
        ),
      ],
    },
    quiet: {
      because: "the answers came, late",
      given: [input("sluice_frontier_overdue_urls", { service: "frontier" }, "0x5 3x8 0x30")],
      at: "20m",
    },
  },
  SluiceLeasesExpire: {
    fires: {
      given: [
        input("sluice_rate_limit_expired_urls_total", { service: "rate-limit" }, "0+10x60"),
        input("sluice_fetcher_expired_urls_total", { service: "fetcher" }, "0+20x60"),
        input("sluice_frontier_released_urls_total", { service: "frontier" }, "0+100x60"),
      ],
      at: "30m",
      alerts: [expected("30% of the URLs that sluice releases are not begun within their lease.")],
    },
    quiet: {
      because: "few do",
      given: [
        input("sluice_rate_limit_expired_urls_total", { service: "rate-limit" }, "0+1x60"),
        input("sluice_fetcher_expired_urls_total", { service: "fetcher" }, "0+1x60"),
        input("sluice_frontier_released_urls_total", { service: "frontier" }, "0+100x60"),
      ],
      at: "30m",
    },
  },
  SluiceJobFailed: {
    fires: {
      given: [
        input("sluice_frontier_ended_jobs_total", { service: "frontier", reason: "failed" }, "0x9 1x30"),
      ],
      at: "15m",
      alerts: [expected("1 jobs of sluice failed within 15 minutes.")],
    },
    quiet: {
      because: "jobs that were cancelled or completed did not fail",
      given: [
        input("sluice_frontier_ended_jobs_total", { service: "frontier", reason: "failed" }, "0x40"),
        input("sluice_frontier_ended_jobs_total", { service: "frontier", reason: "completed" }, "0+1x40"),
        input("sluice_frontier_ended_jobs_total", { service: "frontier", reason: "cancelled" }, "0+1x40"),
      ],
      at: "15m",
    },
  },
  SluiceFetchersSaturated: {
    fires: {
      given: calls("64x60", "30x60"),
      at: "40m",
      alerts: [
        expected(
          "100% of the slots of sluice are busy and more requests wait: more fetchers would be faster.",
        ),
      ],
    },
    quiet: {
      because: "all slots are taken, but nothing waits for one",
      given: calls("64x60", "0x60"),
      at: "40m",
    },
  },
};
