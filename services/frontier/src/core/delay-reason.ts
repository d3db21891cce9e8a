import type { WaitingReason } from "@sluice/records";

/** What may put the release of a URL off until an instant. */
export const delayReasons = ["politeness", "back_off", "breaker"] as const satisfies readonly WaitingReason[];
export type DelayReason = (typeof delayReasons)[number];
