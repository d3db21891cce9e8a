import type { RuntimeProbe } from "@sluice/runtime";
import { metricDefinitions, type Log, type Measurement, type Metrics } from "@sluice/telemetry";

/** The place in a log was gone. */
const losses: ReadonlySet<string> = new Set(
  metricDefinitions.sluice_runtime_position_loss_events_total.labels.event,
);

/** Other events after which something may be missing, repeated or left out. */
const alarming: ReadonlySet<string> = new Set([
  "state_discarded",
  "state_not_shrunk",
  "state_of_another_log",
  "table_record_invalid",
  "commit_failed",
  "drain_limit",
]);

/** What the runtime tells goes to the log and to the metrics. */
export function metricsProbe(log: Log, metrics: Metrics): RuntimeProbe {
  return {
    event: (name, fields) => {
      if (losses.has(name)) metrics.add("sluice_runtime_position_loss_events_total", 1, { event: name });
      if (losses.has(name) || alarming.has(name)) log.warn(fields, name);
      else log.info(fields, name);
    },
    stepped: () => metrics.add("sluice_runtime_steps_total", 1),
    consumed: (topic, records, bytes) => {
      metrics.add("sluice_runtime_consumed_records_total", records, { topic });
      metrics.add("sluice_runtime_consumed_bytes_total", bytes, { topic });
    },
    committed: (records, durationMs) => {
      metrics.add("sluice_runtime_transactions_total", 1, { outcome: "committed" });
      metrics.add("sluice_runtime_written_records_total", records);
      metrics.observe("sluice_runtime_transaction_seconds", durationMs / 1000);
    },
    commitFailed: (fenced) =>
      metrics.add("sluice_runtime_transactions_total", 1, { outcome: fenced ? "fenced" : "failed" }),
    measured: (measurements) => {
      // The runtime carries what the service's own `measure` gave it, and knows no names.
      for (const each of measurements) metrics.record(each as Measurement);
    },
    deadLetter: (topic, reason) => {
      metrics.add("sluice_runtime_dead_letter_records_total", 1, { topic });
      log.warn({ topic, reason }, "dead_letter");
    },
    rebalanced: () => metrics.add("sluice_runtime_rebalances_total", 1),
    rebalanceEnded: (durationMs) => metrics.observe("sluice_runtime_rebalance_seconds", durationMs / 1000),
    staleBatch: () => metrics.add("sluice_runtime_stale_batches_total", 1),
    staleSettle: () => metrics.add("sluice_runtime_stale_calls_total", 1),
    callsWithheld: (calls) => {
      metrics.add("sluice_runtime_withheld_calls_total", calls);
      log.warn({ calls }, "calls_withheld");
    },
  };
}
