import { mayConcern, topics, type Permit } from "@sluice/records";
import type { InputRecord, Step } from "@sluice/topology";
import type { FetchCall, FetchOutcome } from "./calls.ts";
import type { Effects } from "./core/answers.ts";
import type { Host } from "./core/host.ts";
import { FetcherState, forgetIdle } from "./core/hosts.ts";
import { jobChanged, policyChanged, pump } from "./core/permits.ts";
import { settle } from "./core/settlement.ts";
import type { Turn } from "./core/turn.ts";
import { takeAnswer } from "./core/errands.ts";
import { tellStarted } from "./core/url-events.ts";
import { defaultFetcherOptions, type FetcherOptions } from "./options.ts";

export type PermitRecord = InputRecord<Permit>;
export const fetcherInputs = [topics.permits.name];
export const fetcherTables = [topics.jobs.name, topics.policies.name];

/**
 * The fetcher: robots.txt, then the page, each not before the domain's clock allows it. It keeps the wait a
 * second time, by its own clock, so permits that piled up while nobody owned the domain are never a burst.
 */
export function fetcherStep(
  options: FetcherOptions = defaultFetcherOptions,
): Step<FetcherState, PermitRecord, FetchCall, FetchOutcome> {
  return {
    name: "fetcher",
    load: () => new FetcherState(),
    laneOf: (record) => record.key ?? "",
    // The step keeps the order itself: it has to see all permits of a domain to answer them when it is held.
    laneWidth: () => options.permitsMax,
    step: (state, input, nowMs, context) => {
      const out: Effects = [];
      const turnOf = (host: Host): Turn => ({
        host,
        sitemaps: state.sitemaps,
        out,
        nowMs,
        context,
        options,
      });
      switch (input.kind) {
        case "record": {
          const { record } = input;
          const host = state.host(record.key ?? "");
          takeAnswer(turnOf(host), record.value);
          host.queue.push({ recordId: record.id, permit: record.value, receivedAtMs: nowMs });
          pump(turnOf(host));
          break;
        }
        case "wake": {
          const host = state.hosts.get(input.lane);
          if (host !== undefined) pump(turnOf(host));
          break;
        }
        case "started": {
          const host = state.host(input.lane);
          host.unbegun.delete(input.callId);
          if (!host.withdrawn.has(input.callId)) {
            const running = host.running.get(input.callId);
            host.lastStartMs = nowMs;
            if (running !== undefined) running.startedAtMs = nowMs;
            tellStarted(turnOf(host), input.callId);
          }
          pump(turnOf(host));
          break;
        }
        case "settled": {
          const host = state.host(input.lane);
          settle(turnOf(host), input.callId, input.outcome);
          pump(turnOf(host));
          break;
        }
        case "table":
          for (const host of state.hosts.values()) {
            if (input.table === topics.jobs.name) jobChanged(turnOf(host), input.key);
            else if (mayConcern(input.key, host.domain)) policyChanged(turnOf(host));
          }
          break;
        case "restored":
          break;
        default:
          input satisfies never;
      }
      forgetIdle(state, nowMs, options);
      return out;
    },
  };
}
