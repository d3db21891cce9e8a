import { rules, type AlertTable } from "./alert.ts";
import { max } from "./promql.ts";

const { gauge } = rules;
const process = ["job", "service", "instance"] as const;

/** The processes themselves. */
export const processAlerts = {
  SluiceHeapNearLimit: {
    severity: "page",
    for: "5m",
    expression: `${max([...process], `min_over_time(${gauge("sluice_process_memory_bytes", { kind: "heap_used" })}[10m])`)} / ${max([...process], gauge("sluice_process_heap_bytes_limit"))} > 0.85`,
    summary: "A process is about to run out of memory",
    description:
      "{{ $labels.service }} at {{ $labels.instance }} has used {{ $value | humanizePercentage }} of its heap at least, also after collections.",
  },
  SluiceEventLoopBlocked: {
    severity: "ticket",
    for: "5m",
    expression: `${max([...process], gauge("sluice_process_event_loop_delay_seconds", { quantile: "0.99" }))} > 0.5`,
    summary: "A process is too busy to turn its loop",
    description:
      "The loop of {{ $labels.service }} at {{ $labels.instance }} is {{ $value | humanizeDuration }} late; heartbeats are next.",
  },
  SluiceClocksApart: {
    severity: "ticket",
    for: "5m",
    expression: `${max([...process], `abs(${gauge("sluice_runtime_clock_difference_seconds")})`)} > 30`,
    summary: "The clocks of a process and of the broker differ",
    description:
      "{{ $labels.service }} at {{ $labels.instance }} and the broker are {{ $value | humanizeDuration }} apart.",
  },
} as const satisfies AlertTable;
