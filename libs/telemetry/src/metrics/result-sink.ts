/** Of the sink that writes results to a file. */
import type { MetricTable } from "./definition.ts";

const services = ["result-sink"] as const;

export const resultSinkMetrics = {
  sluice_result_sink_written_rows_total: {
    type: "counter",
    unit: "rows",
    services,
    labels: {},
    help: "Rows that were written and are safe on disk.",
  },
  sluice_result_sink_repeated_rows_total: {
    type: "counter",
    unit: "rows",
    services,
    labels: {},
    help: "Rows that came again and were not written again: delivered twice after a crash, or in the topic twice, as may be without transactions.",
  },
  sluice_result_sink_writes_total: {
    type: "counter",
    unit: "writes",
    services,
    labels: { outcome: ["written", "failed"] },
    help: "Writes of a batch, by outcome; a batch that failed is tried again.",
  },
  sluice_result_sink_write_seconds: {
    type: "histogram",
    unit: "seconds",
    services,
    labels: {},
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5],
    help: "Time a write took, its sync to the disk included.",
  },
  sluice_result_sink_delivery_seconds: {
    type: "histogram",
    unit: "seconds",
    services,
    labels: {},
    buckets: [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600],
    help: "Time from the end of a fetch until its row was safe, by the clocks of fetcher and sink.",
  },
  sluice_result_sink_waiting_rows: {
    type: "gauge",
    unit: "rows",
    services,
    labels: {},
    help: "Results read and in no batch yet.",
  },
  sluice_result_sink_batch_rows: {
    type: "gauge",
    unit: "rows",
    services,
    labels: {},
    help: "Rows of batches that are being written or are to be tried again.",
  },
  sluice_result_sink_unwritten_rows_limit: {
    type: "gauge",
    unit: "rows",
    services,
    labels: {},
    help: "Most results read and not written, over the tasks of this instance; a partition at its share is read no further.",
  },
  sluice_result_sink_failing_tasks: {
    type: "gauge",
    unit: "tasks",
    services,
    labels: {},
    help: "Tasks whose last write failed.",
  },
  sluice_result_sink_known_rows: {
    type: "gauge",
    unit: "rows",
    services,
    labels: {},
    help: "Rows whose ids are remembered: one of them that comes again is not written again.",
  },
  sluice_result_sink_known_rows_limit: {
    type: "gauge",
    unit: "rows",
    services,
    labels: {},
    help: "Most ids that are remembered; of these the last half for certain. A result that comes again after more others is written twice, under the same `result_id`.",
  },
  sluice_result_sink_file_bytes: {
    type: "gauge",
    unit: "bytes",
    services,
    labels: {},
    help: "Bytes of the file that are safe.",
  },
} as const satisfies MetricTable;
