import type { Clock, Figures, InputFigures, RunningTask, RuntimeLimits } from "@sluice/runtime";
import type { Measurement, Metrics } from "@sluice/telemetry";
import type { InputLag } from "./input-lag.ts";
import type { Gauges } from "./measurements.ts";

/** Looked at no more often than this, however many ask. */
const cacheMs = 1000;

/** What is asked of a service of the runtime. */
export interface Gauged<State> {
  gauges(): {
    readonly heldRecords: number;
    readonly heldBytes: number;
    readonly calls: number;
    readonly callsSlow: number;
    readonly callsWaiting: number;
    readonly unpersisted: number;
    readonly paused: ReadonlyMap<string, number>;
  };
  figures(): Figures;
  phases(): ReadonlyMap<string, number>;
  states(): readonly RunningTask<State>[];
}

export interface GatheringOptions<State> {
  readonly service: Gauged<State>;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly limits: RuntimeLimits;
  readonly lag: InputLag;
  readonly gauges?: Gauges<State> | undefined;
  /** What the broker's time of day is ahead of the clock; null where it is not known. */
  readonly clockDifferenceMs?: (() => number | null) | undefined;
}

/** Sets the gauges of a service when somebody asks for its metrics. */
export class Gathering<State> {
  readonly #options: GatheringOptions<State>;
  #gatheredAtMs = Number.NEGATIVE_INFINITY;
  /** Of pauses, counted so far by reason. */
  #pausedMs: ReadonlyMap<string, number> = new Map();

  constructor(options: GatheringOptions<State>) {
    this.#options = options;
  }

  gather(): void {
    const { clock, metrics, service } = this.#options;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#gatheredAtMs < cacheMs) return;
    this.#gatheredAtMs = nowMs;
    const figures = service.figures();
    metrics.setAll([...this.#runtime(figures), ...this.#lagAndGauges(figures.inputs)]);
    for (const [reason, pausedMs] of figures.pausedMs) {
      const newMs = pausedMs - (this.#pausedMs.get(reason) ?? 0);
      metrics.add("sluice_runtime_paused_seconds_total", Math.max(0, newMs) / 1000, { reason });
    }
    this.#pausedMs = figures.pausedMs;
  }

  #runtime(figures: Figures): readonly Measurement[] {
    const { clock, clockDifferenceMs, limits, service } = this.#options;
    const held = service.gauges();
    const { inputs, oldestUnfinishedMs, tasks, restore, heartbeatAgeMs } = figures;
    const ageMs = oldestUnfinishedMs === null ? 0 : Math.max(0, clock.nowMs() - oldestUnfinishedMs);
    const spans = inputs.map(({ span }) => span);
    const { partition } = limits;
    return [
      { metric: "sluice_runtime_held_records", value: held.heldRecords },
      { metric: "sluice_runtime_held_records_limit", value: partition.recordsHigh * inputs.length },
      { metric: "sluice_runtime_held_bytes", value: held.heldBytes },
      { metric: "sluice_runtime_held_bytes_limit", value: partition.bytesHigh * inputs.length },
      { metric: "sluice_runtime_oldest_unfinished_seconds", value: ageMs / 1000 },
      { metric: "sluice_runtime_span_offsets", value: Math.max(0, ...spans) },
      { metric: "sluice_runtime_span_offsets_limit", value: limits.spanMax },
      { metric: "sluice_runtime_running_calls", value: held.calls - held.callsSlow },
      { metric: "sluice_runtime_running_calls_limit", value: limits.callsMax },
      { metric: "sluice_runtime_slow_calls", value: held.callsSlow },
      { metric: "sluice_runtime_slow_calls_limit", value: limits.slowCallsMax },
      { metric: "sluice_runtime_waiting_calls", value: held.callsWaiting },
      { metric: "sluice_runtime_unpersisted_records", value: held.unpersisted },
      { metric: "sluice_runtime_unpersisted_records_limit", value: limits.outputRecordsMax * tasks.all },
      { metric: "sluice_runtime_unpersisted_bytes", value: figures.unpersistedBytes },
      { metric: "sluice_runtime_unpersisted_bytes_limit", value: limits.outputBytesMax * tasks.all },
      { metric: "sluice_runtime_state_entries", value: figures.stateEntries },
      { metric: "sluice_runtime_checkpoint_age_seconds", value: (figures.checkpointAgeMs ?? 0) / 1000 },
      { metric: "sluice_runtime_restore_read_records", value: restore.read },
      { metric: "sluice_runtime_restore_target_records", value: restore.target },
      { metric: "sluice_runtime_heartbeat_age_seconds", value: (heartbeatAgeMs ?? 0) / 1000 },
      { metric: "sluice_runtime_heartbeat_age_seconds_limit", value: limits.sessionTimeoutMs / 2000 },
      { metric: "sluice_runtime_clock_difference_seconds", value: (clockDifferenceMs?.() ?? 0) / 1000 },
      ...byLabel("sluice_runtime_paused_partitions", "reason", held.paused),
      ...byLabel("sluice_runtime_tasks", "phase", service.phases()),
    ];
  }

  /** The service says what its tasks hold, and with it how many of the records read are held on purpose. */
  #lagAndGauges(inputs: readonly InputFigures[]): readonly Measurement[] {
    const { clock, gauges, lag, service } = this.#options;
    const own = gauges?.(service.states(), clock.nowMs()) ?? [];
    const held = new Map<string, number>();
    for (const { metric, labels, value } of own) {
      if (metric !== "sluice_runtime_lag_records" || labels?.["topic"] === undefined) continue;
      held.set(labels["topic"], (held.get(labels["topic"]) ?? 0) + value);
    }
    const ready = [...lag.look(inputs, clock.monotonicMs())].map(([topic, records]): Measurement => {
      const value = Math.max(0, records - (held.get(topic) ?? 0));
      return { metric: "sluice_runtime_lag_records", value, labels: { topic, state: "ready" } };
    });
    return [...own, ...ready];
  }
}

function byLabel(
  metric: Measurement["metric"],
  label: string,
  values: ReadonlyMap<string, number>,
): readonly Measurement[] {
  return [...values].map(([name, value]) => ({ metric, value, labels: { [label]: name } }));
}
