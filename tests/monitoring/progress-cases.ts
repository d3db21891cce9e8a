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
const lag = (state: string, values: string, topic = "crawl.permits"): Input =>
  input("sluice_runtime_lag_records", { service: "fetcher", topic, state }, values);
const oldest = (values: string, instance = "a:9464"): Input =>
  input("sluice_runtime_oldest_unfinished_seconds", { service: "fetcher", instance }, values);
const calls = (running: string, waiting: string, job = "sluice"): readonly Input[] => [
  input("sluice_runtime_running_calls", { job, service: "fetcher" }, running),
  input("sluice_runtime_running_calls_limit", { job, service: "fetcher" }, "64x60"),
  input("sluice_runtime_waiting_calls", { job, service: "fetcher" }, waiting),
];

export const progressCases: Readonly<Record<keyof typeof progressAlerts, AlertCase>> = {
  SluiceMetricsMissing: {
    fires: {
      given: [input("up", { job: "node" }, "1x20")],
      atMinute: 5,
      alerts: [
        {
          labels: {},
          description:
            "Prometheus has no target whose job begins with sluice: nothing can be said of the crawl.",
        },
      ],
    },
    quiet: {
      because: "a target that does not answer is there",
      given: [up("frontier", "0x20")],
      atMinute: 10,
    },
  },
  SluiceServiceMissing: {
    fires: {
      given: [
        up("frontier", "1x20"),
        up("rate-limit", "1x20"),
        up("fetcher", "1x0 stale"),
        up("result-sink", "1x0 stale"),
      ],
      atMinute: 3,
      alerts: ["fetcher", "result-sink"].map((service) =>
        expected(`Not one ${service} of sluice answers.`, { service }),
      ),
    },
    quiet: {
      because: "one of two fetchers is down, and nobody has ever started an api",
      given: [...allUp, up("fetcher", "0x60", "other:9464")],
      atMinute: 15,
    },
  },
  SluiceInstanceDown: {
    fires: {
      given: [up("fetcher", "1x5 0x15")],
      atMinute: 11,
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
      atMinute: 12,
    },
  },
  SluiceRestarting: {
    fires: {
      given: [started("1000+120x40")],
      atMinute: 9,
      alerts: [expected("fetcher was started anew 9 times within 30 minutes.", { service: "fetcher" })],
    },
    quiet: { because: "it was started anew once", given: [started("1000x9 1600x40")], atMinute: 20 },
  },
  SluiceNoProgress: {
    fires: {
      given: [...ready("7x40", "5x40"), answered("0+20x5 100x35")],
      atMinute: 20,
      alerts: [expected("12 URLs of sluice may be fetched now, and no URL was answered for 15 minutes.")],
    },
    quiet: {
      because: "what waits is held for politeness",
      given: [...ready("0x40", "0x40"), answered("100x40")],
      atMinute: 25,
    },
  },
  SluiceLagGrows: {
    fires: {
      given: [lag("ready", "0+200x60")],
      atMinute: 26,
      alerts: [
        expected("fetcher is 5200 records behind in crawl.permits, and it becomes more.", {
          service: "fetcher",
          topic: "crawl.permits",
        }),
      ],
    },
    quiet: {
      because: "what grows is politely held, a great lag is being worked off, others are small or stand",
      given: [
        lag("held", "0+200x60"),
        lag("ready", "90000-500x60"),
        lag("ready", "0x9 900x51", "small"),
        lag("ready", "5000+30x60", "hardly-growing"),
      ],
      atMinute: 40,
    },
  },
  SluiceRecordStuck: {
    fires: {
      given: [oldest("0+60x60")],
      atMinute: 21,
      alerts: [
        expected("The oldest record of fetcher at a:9464 is 21m 0s old and ages like a clock.", {
          service: "fetcher",
          instance: "a:9464",
        }),
      ],
    },
    quiet: {
      because: "records are old but it works through them, as after a long stop, fast or slowly",
      given: [oldest("7200-30x60"), oldest("7200+30x60", "slow:9464")],
      atMinute: 25,
    },
  },
  SluiceLeasesOverdue: {
    fires: {
      given: [input("sluice_frontier_overdue_urls", { service: "frontier" }, "0x5 3x30")],
      atMinute: 16,
      alerts: [
        expected(
          "3 URLs of sluice are past their lease without an answer; nothing else releases them again.",
        ),
      ],
    },
    quiet: {
      because: "the answers came, late",
      given: [input("sluice_frontier_overdue_urls", { service: "frontier" }, "0x5 3x8 0x30")],
      atMinute: 20,
    },
  },
  SluiceLeasesExpire: {
    fires: {
      given: [
        input("sluice_rate_limit_expired_urls_total", { service: "rate-limit" }, "0+10x60"),
        input("sluice_fetcher_expired_urls_total", { service: "fetcher" }, "0+20x60"),
        input("sluice_frontier_released_urls_total", { service: "frontier" }, "0+100x60"),
      ],
      atMinute: 16,
      alerts: [expected("30% of the URLs that sluice releases are not begun within their lease.")],
    },
    quiet: {
      because: "few do",
      given: [
        input("sluice_rate_limit_expired_urls_total", { service: "rate-limit" }, "0+1x60"),
        input("sluice_fetcher_expired_urls_total", { service: "fetcher" }, "0+1x60"),
        input("sluice_frontier_released_urls_total", { service: "frontier" }, "0+100x60"),
      ],
      atMinute: 30,
    },
  },
  SluiceJobFailed: {
    fires: {
      given: [
        input("sluice_frontier_ended_jobs_total", { service: "frontier", reason: "failed" }, "0x9 1x30"),
      ],
      atMinute: 11,
      alerts: [expected("1 jobs of sluice failed within 15 minutes.")],
    },
    quiet: {
      because: "jobs that were cancelled or completed did not fail",
      given: [
        input("sluice_frontier_ended_jobs_total", { service: "frontier", reason: "failed" }, "0x40"),
        input("sluice_frontier_ended_jobs_total", { service: "frontier", reason: "completed" }, "0+1x40"),
        input("sluice_frontier_ended_jobs_total", { service: "frontier", reason: "cancelled" }, "0+1x40"),
      ],
      atMinute: 15,
    },
  },
  SluiceFetchersSaturated: {
    fires: {
      given: calls("64x60", "30x60"),
      atMinute: 30,
      alerts: [
        expected(
          "100% of the slots of sluice are busy and more requests wait: more fetchers would be faster.",
        ),
      ],
    },
    quiet: {
      because: "all slots are taken, but nothing waits for one; or a slot is free",
      given: [...calls("64x60", "0x60"), ...calls("58x60", "5x60", "sluice-b")],
      atMinute: 40,
    },
  },
};
