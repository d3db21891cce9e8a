import type { Measured } from "./measure.ts";

/** What the runtime tells of itself: events for the log, counts for metrics. Must not throw. */
export interface RuntimeProbe {
  event(name: string, fields: Readonly<Record<string, unknown>>): void;
  stepped(): void;
  consumed(topic: string, records: number, bytes: number): void;
  committed(records: number, durationMs: number): void;
  commitFailed(fenced: boolean): void;
  /** What records of a transaction that was just committed count for. */
  measured(measurements: readonly Measured[]): void;
  deadLetter(topic: string, reason: string): void;
  /** The group has given us our tasks. */
  rebalanced(): void;
  /** All of them run, so long after the first word of the rebalance. */
  rebalanceEnded(durationMs: number): void;
  /** A batch fetched at a position that is ours no more was dropped. */
  staleBatch(): void;
  /** A call of an older epoch settled and was dropped. */
  staleSettle(): void;
  /** Calls begin to wait because the group has not been heard of for half a session. */
  callsWithheld(calls: number): void;
}

export const silentProbe: RuntimeProbe = {
  event: () => undefined,
  stepped: () => undefined,
  consumed: () => undefined,
  committed: () => undefined,
  commitFailed: () => undefined,
  measured: () => undefined,
  deadLetter: () => undefined,
  rebalanced: () => undefined,
  rebalanceEnded: () => undefined,
  staleBatch: () => undefined,
  staleSettle: () => undefined,
  callsWithheld: () => undefined,
};
