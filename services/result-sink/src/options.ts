/** What an operator may set of a sink. */
export interface SinkOptions {
  /** Name of the consumer group, one for each sink. */
  readonly group: string;
  /** Results in one write. */
  readonly batchMax: number;
  /** How long a batch that is not full waits for more. */
  readonly lingerMs: number;
  /** Records of a task read and not written: then its partition is read no further. */
  readonly recordsMax: number;
  /** Other results between two of the same id up to which the second is known as a repeat. */
  readonly idsMax: number;
  readonly retryBaseMs: number;
  readonly retryMaxMs: number;
}

export const defaultSinkOptions: SinkOptions = {
  group: "result-sink",
  batchMax: 100,
  lingerMs: 100,
  recordsMax: 1000,
  idsMax: 100_000,
  retryBaseMs: 200,
  retryMaxMs: 10_000,
};
