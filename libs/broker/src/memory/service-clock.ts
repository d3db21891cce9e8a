/** The runtime's clock on simulated time: give it the clock of a client, and the service dies and freezes with it. */
import type { Clock } from "@sluice/runtime";
import type { SimClock } from "./clock.ts";

export function serviceClock(clock: SimClock): Clock {
  return {
    nowMs: () => clock.nowMs(),
    monotonicMs: () => clock.nowMs(),
    after: (delayMs, task) => clock.setTimer(clock.nowMs() + Math.max(0, delayMs), task),
    soon: (task) => {
      clock.setTimer(clock.nowMs(), task);
    },
  };
}
