import { setTimeout as pause } from "node:timers/promises";
import type { PerformCall } from "@sluice/runtime";
import type { FetchCall } from "./calls.ts";

/** A timer may fire one early. */
const pauseMs = 2;

/**
 * Instants are whole milliseconds that are over, so what ended did so by up to one later than is known, and a request
 * that has waited for its instant would be so much too early for the host. What is left of the millisecond is waited
 * for here, where time is real.
 */
export function pastTheirInstant<Outcome>(
  perform: PerformCall<FetchCall, Outcome>,
): PerformCall<FetchCall, Outcome> {
  return async (call, signal) => {
    if (call.wait.waitMs > 0) await pause(pauseMs);
    return await perform(call, signal);
  };
}
