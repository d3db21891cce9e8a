import type { Measurement } from "@sluice/process";
import type { SinkCall, SinkOutcome } from "./step.ts";

/** What a write counts for. */
export function measureWrite(
  { rows }: SinkCall,
  outcome: SinkOutcome,
  { durationMs, nowMs }: { readonly durationMs: number; readonly nowMs: number },
): readonly Measurement[] {
  const write: Measurement = {
    metric: "sluice_result_sink_writes_total",
    value: 1,
    labels: { outcome: outcome.kind },
  };
  if (outcome.kind === "failed") return [write];
  return [
    write,
    { metric: "sluice_result_sink_write_seconds", value: durationMs / 1000 },
    { metric: "sluice_result_sink_written_rows_total", value: rows.length - outcome.repeated },
    { metric: "sluice_result_sink_repeated_rows_total", value: outcome.repeated },
    ...rows.map(({ result }) => ({
      metric: "sluice_result_sink_delivery_seconds" as const,
      value: Math.max(0, nowMs - result.fetched_at_ms) / 1000,
    })),
  ];
}
