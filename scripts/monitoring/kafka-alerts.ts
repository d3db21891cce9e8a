import { topics } from "@sluice/records";
import { rules, type AlertTable } from "./alert.ts";
import { max, sum } from "./promql.ts";
import { recorded } from "./recording-rules.ts";

const { gauge, increase, rate, quantile } = rules;
const tasks = recorded("job_service:sluice_runtime_tasks:sum");
const process = ["job", "service", "instance"] as const;

/** Half of what the inputs of services are kept for. */
const halfRetentionSeconds = (topics.results.retentionMs ?? 0) / 2000;

/** Reading, committing, the group and its tasks. */
export const kafkaAlerts = {
  SluiceDeadLetters: {
    severity: "ticket",
    for: "1m",
    expression: `${sum(["job", "service", "topic"], increase("sluice_runtime_dead_letter_records_total", {}, "15m"))} > 0`,
    summary: "Records could not be read and lie in the dead letters",
    description:
      "{{ $labels.service }} put {{ $value | humanize }} records of {{ $labels.topic }} into its dead letters within 15 minutes.",
  },
  SluiceUnpersistedOutput: {
    severity: "ticket",
    for: "2m",
    expression: `${max([...process], gauge("sluice_runtime_unpersisted_records"))} > 500`,
    summary: "Output gathers faster than it is committed",
    description:
      "{{ $labels.service }} at {{ $labels.instance }} has {{ $value }} records that are in no transaction yet.",
  },
  SluiceTransactionsFail: {
    severity: "page",
    for: "5m",
    expression: `${sum(["job", "service"], increase("sluice_runtime_transactions_total", { outcome: "failed" }, "10m"))} > 5`,
    summary: "Transactions fail again and again",
    description:
      "{{ $value | humanize }} transactions of {{ $labels.service }} failed within 10 minutes; after each its task starts again from what is committed.",
  },
  SluiceTasksFenced: {
    severity: "page",
    for: "5m",
    expression: `${sum(["job", "service"], increase("sluice_runtime_transactions_total", { outcome: "fenced" }, "15m"))} > 5`,
    summary: "Processes take each other's tasks",
    description:
      "{{ $value | humanize }} transactions of {{ $labels.service }} were fenced by another owner within 15 minutes.",
  },
  SluiceTransactionsSlow: {
    severity: "ticket",
    for: "10m",
    expression: `${quantile(0.99, "sluice_runtime_transaction_seconds", ["job", "service"])} > 2`,
    summary: "The brokers take long over transactions",
    description:
      "One in a hundred transactions of {{ $labels.service }} takes longer than {{ $value | humanizeDuration }}.",
  },
  SluiceRebalanceStorm: {
    severity: "ticket",
    for: "15m",
    expression: `${max(["job", "service"], increase("sluice_runtime_rebalances_total", {}, "10m"))} > 5`,
    summary: "The consumer group does not come to rest",
    description:
      "An instance of {{ $labels.service }} joined its group {{ $value | humanize }} times within 10 minutes.",
  },
  SluicePartitionsPaused: {
    severity: "ticket",
    for: "10m",
    expression: `${sum([...process, "reason"], rate("sluice_runtime_paused_seconds_total", { reason: ["records", "bytes", "offset_map", "span"] }, "10m"))} > 0.9`,
    summary: "Partitions are not read for long",
    description:
      "{{ $labels.service }} at {{ $labels.instance }} has had {{ $value | humanize }} partitions paused at any moment of 10 minutes, for {{ $labels.reason }}.",
  },
  SluiceGroupSilent: {
    severity: "page",
    for: "1m",
    expression: `${max([...process], gauge("sluice_runtime_heartbeat_age_seconds"))} > ${max([...process], gauge("sluice_runtime_heartbeat_age_seconds_limit"))}`,
    summary: "The group has not been heard of: no request is begun",
    description:
      "{{ $labels.service }} at {{ $labels.instance }} was last counted in {{ $value | humanizeDuration }} ago; its tasks may be another's by now.",
  },
  SluiceRestoreSlow: {
    severity: "ticket",
    for: "10m",
    expression: `${sum([...process, "phase"], gauge("sluice_runtime_tasks", { phase: ["waiting", "fencing", "restoring", "loading"] }))} > 0`,
    summary: "Tasks do not come to run",
    description:
      "{{ $value }} tasks of {{ $labels.service }} at {{ $labels.instance }} are {{ $labels.phase }} and not running.",
  },
  SluiceTasksUnowned: {
    severity: "page",
    for: "10m",
    expression: `${tasks} < on (job) group_left () max by (job) (${tasks})`,
    summary: "Partitions have no owner",
    description: "All {{ $labels.service }} together own {{ $value }} tasks, fewer than another service has.",
  },
  SluiceRetentionNear: {
    severity: "page",
    for: "10m",
    expression: `${max(["job", "service"], gauge("sluice_runtime_oldest_unfinished_seconds"))} > ${halfRetentionSeconds}`,
    summary: "A reader is so late that retention may overtake it",
    description:
      "{{ $labels.service }} of {{ $labels.job }} is at records that are {{ $value | humanizeDuration }} old; they are kept for twice that at most.",
  },
  SluicePositionsLost: {
    severity: "page",
    for: "1m",
    expression: `${sum(["job", "service", "event"], increase("sluice_runtime_position_loss_events_total", {}, "15m"))} > 0`,
    summary: "A place in a log was gone: records may be lost",
    description:
      "{{ $labels.service }} met {{ $labels.event }} {{ $value | humanize }} times within 15 minutes and went on from what there is.",
  },
} as const satisfies AlertTable;
