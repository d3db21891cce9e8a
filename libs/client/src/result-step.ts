/** Hands each result of a partition to whoever reads, in the order of the topic. */
import { topics, type Result } from "@sluice/records";
import type { InputRecord, Step } from "@sluice/topology";

export interface Handover {
  readonly id: string;
  readonly result: Result;
}

/** `withdrawn`: the reader has ended before it was dealt with; it comes again to the next one. */
export type Handled = { readonly kind: "handled" } | { readonly kind: "withdrawn" };

export interface ResultStepOptions {
  /** Name of the reader's group. */
  readonly group: string;
  /** Only results of this job; null: of all. */
  readonly job: string | null;
  /** Results of one partition that may be under way at once. */
  readonly demandMax: number;
}

export function resultStep({
  group,
  job,
  demandMax,
}: ResultStepOptions): Step<object, InputRecord<Result>, Handover, Handled> {
  return {
    name: group,
    load: () => ({}),
    laneOf: () => topics.results.name,
    laneWidth: () => demandMax,
    step: (_, input) => {
      switch (input.kind) {
        case "record": {
          const { id, value: result } = input.record;
          if (job !== null && result.job !== job) return [{ kind: "finish", id }];
          return [{ kind: "call", lane: topics.results.name, callId: id, request: { id, result } }];
        }
        case "settled":
          return input.outcome.kind === "handled" ? [{ kind: "finish", id: input.callId }] : [];
        case "wake":
        case "started":
        case "table":
        case "restored":
          return [];
        default:
          return input satisfies never;
      }
    },
  };
}
