import type { WaitingReason } from "@sluice/records";

/** What may put the release of a URL off: until an instant, or (`budget`) until a unit comes back. */
export const delayReasons = [
  "politeness",
  "back_off",
  "breaker",
  "budget",
] as const satisfies readonly WaitingReason[];
export type DelayReason = (typeof delayReasons)[number];
