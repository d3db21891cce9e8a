import { monitorEventLoopDelay } from "node:perf_hooks";
import { getHeapStatistics } from "node:v8";
import type { Measurement } from "./metrics.ts";

/** The timer that watches the loop fires so often; what it measures contains that. */
const resolutionMs = 10;

/** What a process says of itself: memory, CPU, and how late its event loop was since it was last asked. */
export class ProcessFigures {
  readonly #delay = monitorEventLoopDelay({ resolution: resolutionMs });
  readonly #startedAtMs = Date.now() - process.uptime() * 1000;
  #cpu = { user: 0, system: 0 };

  constructor() {
    this.#delay.enable();
  }

  measurements(): readonly Measurement[] {
    const { rss, heapTotal, heapUsed, external } = process.memoryUsage();
    const cpu = process.cpuUsage();
    const before = this.#cpu;
    this.#cpu = cpu;
    const delay = (quantile: string, nanoseconds: number): Measurement => ({
      metric: "sluice_process_event_loop_delay_seconds",
      labels: { quantile },
      value: Math.max(0, nanoseconds / 1e9 - resolutionMs / 1000),
    });
    const isMeasured = this.#delay.count > 0;
    const found: Measurement[] = [
      delay("0.5", isMeasured ? this.#delay.percentile(50) : 0),
      delay("0.99", isMeasured ? this.#delay.percentile(99) : 0),
      delay("1", isMeasured ? this.#delay.max : 0),
      ...(["user", "system"] as const).map((mode) => ({
        metric: "sluice_process_cpu_seconds_total" as const,
        labels: { mode },
        value: (cpu[mode] - before[mode]) / 1e6,
      })),
      ...Object.entries({ resident: rss, heap: heapTotal, heap_used: heapUsed, external }).map(
        ([kind, value]) => ({ metric: "sluice_process_memory_bytes" as const, labels: { kind }, value }),
      ),
      { metric: "sluice_process_heap_bytes_limit", value: getHeapStatistics().heap_size_limit },
      { metric: "sluice_process_start_time_seconds", value: this.#startedAtMs / 1000 },
    ];
    this.#delay.reset();
    return found;
  }
}
