import type { PartitionLimits } from "./budget.ts";

/** Every limit of the runtime, each with what happens when it is reached. */
export interface RuntimeLimits {
  /** Records and bytes read and not finished, per partition: the partition is paused, others flow. */
  readonly partition: PartitionLimits;
  /** Offsets between the committed one and the position: the partition is paused. */
  readonly spanMax: number;
  /** Calls at once in this process: further ones wait. */
  readonly callsMax: number;
  /** Calls that have run for this long give their slots back: they do little but wait. */
  readonly slowCallsAfterMs: number;
  /** The same for a lane of which nothing is known. */
  readonly unknownCallsAfterMs: number;
  /** So many may run without a slot at once: further ones keep theirs, or wait. */
  readonly slowCallsMax: number;
  /** Output gathered and not committed, per task: a commit begins at once. */
  readonly outputRecordsMax: number;
  /** Bytes of it: further records wait in their lanes. */
  readonly outputBytesMax: number;
  /** Longest time between two commits of a busy task. */
  readonly commitIntervalMs: number;
  /** Longest time after which what was committed outlives the process on this machine's disk. */
  readonly checkpointMs: number;
  /** Time between two commits, per busy task: a transaction costs the broker up to 10 ms. */
  readonly commitSpacingMs: number;
  /** Steps in one turn of the loop: then I/O has its turn. */
  readonly stepsPerTurn: number;
  /** On shutdown, how long calls in flight may go on: then they are aborted. */
  readonly drainMs: number;
  /** After that, how long the last commits may take: then the process ends without them. */
  readonly drainGraceMs: number;
  readonly sessionTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  readonly rebalanceTimeoutMs: number;
  /** Most bytes of one partition in one fetch. */
  readonly partitionBytesMax: number;
}

export const defaultLimits: RuntimeLimits = {
  partition: { recordsHigh: 2000, recordsLow: 1000, bytesHigh: 33_554_432, bytesLow: 16_777_216 },
  spanMax: 50_000,
  callsMax: 64,
  slowCallsAfterMs: 1000,
  unknownCallsAfterMs: 100,
  slowCallsMax: 0,
  outputRecordsMax: 500,
  outputBytesMax: 4_194_304,
  commitIntervalMs: 1000,
  checkpointMs: 30_000,
  commitSpacingMs: 12,
  stepsPerTurn: 500,
  drainMs: 35_000,
  drainGraceMs: 5000,
  sessionTimeoutMs: 6000,
  heartbeatIntervalMs: 500,
  rebalanceTimeoutMs: 15_000,
  partitionBytesMax: 1_048_576,
};
