import { mayConcern, topics, type Due, type Outcome } from "@sluice/records";
import type { InputRecord, Step } from "@sluice/topology";
import { hasWaiting, loadState, type Effects, type RateLimitState } from "./core/domains.ts";
import { forgiveFailures, policyChanged, receiveDue, receiveOutcome } from "./core/intake.ts";
import { issue } from "./core/permits.ts";
import type { Turn } from "./core/turn.ts";
import { defaultPaceOptions, type PaceOptions } from "./options.ts";

export type RateLimitRecord = InputRecord<Due | Outcome>;
export const rateLimitInputs = [topics.due.name, topics.outcomes.name];
export const rateLimitTables = [topics.jobs.name, topics.policies.name];

/**
 * rate-limit: owns the clock of its domains and turns due URLs into permits. It finishes every record at
 * once; what has to wait lies in its state, at most a window of the frontier for each domain.
 */
export function rateLimitStep(
  options: PaceOptions = defaultPaceOptions,
): Step<RateLimitState, RateLimitRecord> {
  return {
    name: "rate-limit",
    load: loadState,
    laneOf: (record) => record.key ?? "",
    step: (state, input, nowMs, context) => {
      const out: Effects = [];
      const turn: Turn = { state, out, nowMs, context, options };
      switch (input.kind) {
        case "record": {
          const name = input.record.key ?? "";
          if (input.record.topic === topics.due.name) {
            receiveDue(turn, name, input.record.value as Due);
          } else {
            receiveOutcome(turn, name, input.record.value as Outcome);
          }
          out.push({ kind: "finish", id: input.record.id });
          break;
        }
        case "wake": {
          const domain = state.domains.get(input.lane);
          if (domain !== undefined) issue(turn, domain);
          break;
        }
        case "restored":
          for (const domain of state.domains.values()) {
            forgiveFailures(turn, domain);
            out.push({ kind: "wake", lane: domain.name, atMs: nowMs });
          }
          break;
        case "table":
          for (const domain of state.domains.values()) {
            // A pace may have been changed, or its job was not known before.
            if (input.table === topics.jobs.name && hasWaiting(domain, input.key)) issue(turn, domain);
            if (input.table === topics.policies.name && mayConcern(input.key, domain.name))
              policyChanged(turn, domain);
          }
          break;
        case "started":
        case "settled":
          throw new Error("rate-limit makes no calls");
        default:
          input satisfies never;
      }
      return out;
    },
  };
}
