/** The runtime's clock on simulated time: give it the clock of a client, and the service dies and freezes with it. */
import type { Clock } from "@sluice/runtime";
import type { SimClock } from "./clock.ts";

export function serviceClock(clock: SimClock): Clock {
  return {
    nowMs: () => clock.nowMs(),
    monotonicMs: () => clock.nowMs(),
    // A process's time of day is in whole milliseconds, whatever part of one it asked to wait for.
    after: (delayMs, task) => clock.setTimer(Math.ceil(clock.nowMs() + Math.max(0, delayMs)), task),
    soon: (task) => {
      clock.setTimer(clock.nowMs(), task);
    },
  };
}
