import type { Gauges } from "@sluice/process";
import { defaultSinkOptions, type SinkOptions } from "./options.ts";
import type { SinkState } from "./step.ts";

/** What the sink's tasks hold. */
export function gaugeSink(
  file: { readonly bytes: number; readonly knownIds: number },
  options: SinkOptions = defaultSinkOptions,
): Gauges<SinkState> {
  return (tasks) => {
    let waiting = 0;
    let batch = 0;
    let failing = 0;
    for (const { state } of tasks) {
      waiting += state.waiting.length;
      batch += state.batch.length;
      if (state.failures > 0) failing += 1;
    }
    return [
      { metric: "sluice_result_sink_waiting_rows", value: waiting },
      { metric: "sluice_result_sink_batch_rows", value: batch },
      { metric: "sluice_result_sink_unwritten_rows_limit", value: options.recordsMax * tasks.length },
      { metric: "sluice_result_sink_failing_tasks", value: failing },
      { metric: "sluice_result_sink_file_bytes", value: file.bytes },
      { metric: "sluice_result_sink_known_rows", value: file.knownIds },
      { metric: "sluice_result_sink_known_rows_limit", value: 2 * options.idsMax },
    ];
  };
}
