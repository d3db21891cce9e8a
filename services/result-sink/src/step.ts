import { topics, type Result } from "@sluice/records";
import type { Effect, InputRecord, Step } from "@sluice/topology";
import { defaultSinkOptions, type SinkOptions } from "./options.ts";

export type ResultRecord = InputRecord<Result>;
export const sinkInputs = [topics.results.name];

export interface SinkRow {
  readonly partition: number;
  readonly offset: number;
  readonly result: Result;
}

/** One batch of one task, in the order of the topic. */
export interface SinkCall {
  readonly rows: readonly SinkRow[];
}

export type SinkOutcome =
  /** All rows are safe; so many of them were there before. */
  | { readonly kind: "written"; readonly repeated: number }
  | { readonly kind: "failed"; readonly message: string };

export class SinkState {
  /** Read and not being written. */
  readonly waiting: ResultRecord[] = [];
  /** The batch that is being written, or is to be tried again. */
  batch: readonly ResultRecord[] = [];
  writing = false;
  /** When the oldest waiting record came. */
  sinceMs = 0;
  failures = 0;
  retryAtMs = 0;
  calls = 0;
}

type Effects = Effect<SinkCall>[];
const lane = "results";

/**
 * The sink: gathers results into batches and writes one batch at a time. A record is finished when it is
 * written; when writing fails, the same batch is tried again, and what piles up pauses the partition.
 */
export function sinkStep(
  options: SinkOptions = defaultSinkOptions,
): Step<SinkState, ResultRecord, SinkCall, SinkOutcome> {
  return {
    name: options.group,
    load: () => new SinkState(),
    laneOf: () => lane,
    laneWidth: () => options.recordsMax,
    step: (state, input, nowMs) => {
      const out: Effects = [];
      switch (input.kind) {
        case "record":
          if (state.waiting.length === 0) state.sinceMs = nowMs;
          state.waiting.push(input.record);
          break;
        case "settled":
          state.writing = false;
          if (input.outcome.kind === "written") {
            for (const record of state.batch) out.push({ kind: "finish", id: record.id });
            state.batch = [];
            state.failures = 0;
          } else {
            state.failures += 1;
            state.retryAtMs =
              nowMs + Math.min(options.retryMaxMs, options.retryBaseMs * 2 ** (state.failures - 1));
          }
          break;
        case "wake":
        case "started":
        case "table":
        case "restored":
          break;
        default:
          input satisfies never;
      }
      write(state, out, nowMs, options);
      return out;
    },
  };
}

/** Begins a write when a batch is full or old enough, and none is under way. */
function write(state: SinkState, out: Effects, nowMs: number, options: SinkOptions): void {
  if (state.writing) return;
  if (state.batch.length === 0) {
    if (state.waiting.length === 0) return;
    const readyAtMs = state.sinceMs + options.lingerMs;
    if (state.waiting.length < options.batchMax && nowMs < readyAtMs) {
      out.push({ kind: "wake", lane, atMs: readyAtMs });
      return;
    }
    state.batch = state.waiting.splice(0, options.batchMax);
    state.sinceMs = nowMs;
  } else if (nowMs < state.retryAtMs) {
    out.push({ kind: "wake", lane, atMs: state.retryAtMs });
    return;
  }
  state.writing = true;
  state.calls += 1;
  out.push({
    kind: "call",
    lane,
    callId: `write-${state.calls}`,
    request: {
      rows: state.batch.map(({ partition, offset, value }) => ({ partition, offset, result: value })),
    },
  });
}
