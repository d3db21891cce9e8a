import type { PerformCall, RunningTask } from "@sluice/runtime";
import type { Measurement, Metrics } from "@sluice/telemetry";

/** What the running tasks of a process hold. Pure; may cost as much as there are hosts, not as there are URLs. */
export type Gauges<State> = (tasks: readonly RunningTask<State>[], nowMs: number) => readonly Measurement[];

/** When a call was answered, and how long it took. */
export interface CallTimes {
  readonly nowMs: number;
  readonly durationMs: number;
}

/** What a service tells of itself. Steps know nothing of it. */
export interface ServiceMeasurements<State, Call, Outcome> {
  /** What a record that was sent counts for, once it is committed. */
  readonly measure?: (topic: string, value: unknown) => readonly Measurement[];
  /** What a record that was read counts for, once its step is committed. */
  readonly measureRead?: (topic: string, value: unknown) => readonly Measurement[];
  /** What a call counts for as soon as it is answered: the outside has seen it, whatever is committed. */
  readonly measureCall?: (request: Call, outcome: Outcome, times: CallTimes) => readonly Measurement[];
  readonly gauges?: Gauges<State>;
}

/** The same calls, each counted. */
export function counted<Call, Outcome>(
  perform: PerformCall<Call, Outcome>,
  measureCall: ServiceMeasurements<unknown, Call, Outcome>["measureCall"],
  metrics: Pick<Metrics, "record">,
  clock: { nowMs(): number; monotonicMs(): number },
): PerformCall<Call, Outcome> {
  if (measureCall === undefined) return perform;
  return async (request, signal) => {
    const startedAtMs = clock.monotonicMs();
    const outcome = await perform(request, signal);
    const times = { nowMs: clock.nowMs(), durationMs: clock.monotonicMs() - startedAtMs };
    for (const each of measureCall(request, outcome, times)) metrics.record(each);
    return outcome;
  };
}
