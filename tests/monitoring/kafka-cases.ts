import type { kafkaAlerts } from "../../scripts/monitoring/kafka-alerts.ts";
import { expected, input, type AlertCase, type Input } from "./alert-case.ts";

const ofFrontier = { service: "frontier" };
const atA = { service: "frontier", instance: "a:9464" };
const transactions = (outcome: string, values: string): Input =>
  input("sluice_runtime_transactions_total", { ...ofFrontier, outcome }, values);
const transactionSeconds = (le: string, values: string): Input =>
  input("sluice_runtime_transaction_seconds_bucket", { ...ofFrontier, le }, values);
const deadLetters = (values: string): Input =>
  input("sluice_runtime_dead_letter_records_total", { ...ofFrontier, topic: "crawl.seeds" }, values);
const unpersisted = (values: string, instance = "a:9464"): Input =>
  input("sluice_runtime_unpersisted_records", { ...ofFrontier, instance }, values);
const joins = (values: string): Input => input("sluice_runtime_rebalances_total", ofFrontier, values);
const paused = (reason: string, values: string): Input =>
  input("sluice_runtime_paused_seconds_total", { ...ofFrontier, reason }, values);
const heartbeat = (age: string): readonly Input[] => [
  input("sluice_runtime_heartbeat_age_seconds", ofFrontier, age),
  input("sluice_runtime_heartbeat_age_seconds_limit", ofFrontier, "3x40"),
];
const tasks = (service: string, phase: string, values: string): Input =>
  input("sluice_runtime_tasks", { service, phase }, values);
const positionLosses = (values: string): Input =>
  input("sluice_runtime_position_loss_events_total", { ...ofFrontier, event: "position_lost" }, values);
const oldest = (values: string): Input =>
  input("sluice_runtime_oldest_unfinished_seconds", { service: "result-sink" }, values);

export const kafkaCases: Readonly<Record<keyof typeof kafkaAlerts, AlertCase>> = {
  SluiceDeadLetters: {
    fires: {
      given: [deadLetters("0x4 2x30")],
      atMinute: 6,
      alerts: [
        expected("frontier put 2 records of crawl.seeds into its dead letters within 15 minutes.", {
          ...ofFrontier,
          topic: "crawl.seeds",
        }),
      ],
    },
    quiet: { because: "the last ones are of an hour ago", given: [deadLetters("2x90")], atMinute: 60 },
  },
  SluiceUnpersistedOutput: {
    fires: {
      given: [unpersisted("10x4 501x30")],
      atMinute: 7,
      alerts: [expected("frontier at a:9464 has 501 records that are in no transaction yet.", atA)],
    },
    quiet: {
      because: "500 in each of two processes is what is allowed, and a moment above it is none",
      given: [unpersisted("500x30"), unpersisted("500x8 900x0 500x20", "b:9464")],
      atMinute: 10,
    },
  },
  SluiceTransactionsFail: {
    fires: {
      given: [transactions("failed", "0+2x40")],
      atMinute: 8,
      alerts: [
        expected(
          "16 transactions of frontier failed within 10 minutes; after each its task starts again from what is committed.",
          ofFrontier,
        ),
      ],
    },
    quiet: {
      because: "a broker was started anew, and each of a few tasks lost one",
      given: [transactions("failed", "0x5 4x40"), transactions("committed", "0+500x40")],
      atMinute: 10,
    },
  },
  SluiceTasksFenced: {
    fires: {
      given: [transactions("fenced", "0+1x60")],
      atMinute: 11,
      alerts: [
        expected("11 transactions of frontier were fenced by another owner within 15 minutes.", ofFrontier),
      ],
    },
    quiet: {
      because: "one process was frozen, and its tasks were taken from it once",
      given: [transactions("fenced", "0x8 4x60")],
      atMinute: 15,
    },
  },
  SluiceTransactionsSlow: {
    fires: {
      given: [
        transactionSeconds("2", "0+50x40"),
        transactionSeconds("5", "0+100x40"),
        transactionSeconds("+Inf", "0+100x40"),
      ],
      atMinute: 11,
      alerts: [expected("One in a hundred transactions of frontier takes longer than 4.94s.", ofFrontier)],
    },
    quiet: {
      because: "one in a thousand is slow",
      given: [
        transactionSeconds("2", "0+999x40"),
        transactionSeconds("5", "0+1000x40"),
        transactionSeconds("+Inf", "0+1000x40"),
      ],
      atMinute: 30,
    },
  },
  SluiceRebalanceStorm: {
    fires: {
      given: [joins("0+1x60")],
      atMinute: 21,
      alerts: [expected("An instance of frontier joined its group 10 times within 10 minutes.", ofFrontier)],
    },
    quiet: {
      because: "a rolling update joined eight times and was done",
      given: [joins("0x5 0+1x8 8x40")],
      atMinute: 20,
    },
  },
  SluicePartitionsPaused: {
    fires: {
      given: [paused("offset_map", "0+60x60")],
      atMinute: 20,
      alerts: [
        expected(
          "frontier at a:9464 has had 1 partitions paused at any moment of 10 minutes, for offset_map.",
          { ...atA, reason: "offset_map" },
        ),
      ],
    },
    quiet: {
      because: "back-pressure came and went, and restoring is not counted",
      given: [paused("records", "0+20x60"), paused("restoring", "0+720x60")],
      atMinute: 30,
    },
  },
  SluiceGroupSilent: {
    fires: {
      given: [...heartbeat("0.4x5 0.4+60x30")],
      atMinute: 8,
      alerts: [
        expected("frontier at a:9464 was last counted in 2m 0s ago; its tasks may be another's by now.", atA),
      ],
    },
    quiet: {
      because: "an answer came late, once",
      given: [...heartbeat("0.4x8 3.5x0 0.4x30")],
      atMinute: 10,
    },
  },
  SluiceRestoreSlow: {
    fires: {
      given: [tasks("frontier", "restoring", "4x40"), tasks("frontier", "running", "8x40")],
      atMinute: 10,
      alerts: [
        expected("4 tasks of frontier at a:9464 are restoring and not running.", {
          ...atA,
          phase: "restoring",
        }),
      ],
    },
    quiet: {
      because: "it took five minutes",
      given: [tasks("frontier", "restoring", "4x4 0x40"), tasks("frontier", "running", "8x4 12x40")],
      atMinute: 20,
    },
  },
  SluiceTasksUnowned: {
    fires: {
      given: [
        tasks("frontier", "running", "12x40"),
        tasks("fetcher", "running", "8x40"),
        tasks("fetcher", "waiting", "1x40"),
      ],
      atMinute: 10,
      alerts: [
        expected("All fetcher together own 9 tasks, fewer than another service has.", { service: "fetcher" }),
      ],
    },
    quiet: {
      because: "two instances share them, one still restores",
      given: [
        tasks("frontier", "running", "12x40"),
        tasks("fetcher", "running", "6x40"),
        input("sluice_runtime_tasks", { service: "fetcher", phase: "restoring", instance: "b:9464" }, "6x40"),
      ],
      atMinute: 20,
    },
  },
  SluiceRetentionNear: {
    fires: {
      given: [oldest("302460+60x40")],
      atMinute: 10,
      alerts: [
        expected(
          "result-sink of sluice is at records that are 3d 12h 11m 0s old; they are kept for twice that at most.",
          { service: "result-sink" },
        ),
      ],
    },
    quiet: { because: "it is three days late, of seven", given: [oldest("259200x40")], atMinute: 20 },
  },
  SluicePositionsLost: {
    fires: {
      given: [positionLosses("0x4 1x30")],
      atMinute: 6,
      alerts: [
        expected("frontier met position_lost 1 times within 15 minutes and went on from what there is.", {
          ...ofFrontier,
          event: "position_lost",
        }),
      ],
    },
    quiet: { because: "the last one is of an hour ago", given: [positionLosses("1x90")], atMinute: 60 },
  },
};
