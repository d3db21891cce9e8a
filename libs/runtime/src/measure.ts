/** A value that a record counts for, by the name of a metric; the runtime only carries it. */
export interface Measured {
  readonly metric: string;
  readonly value: number;
  readonly labels?: Readonly<Record<string, string>>;
}

/** What a record counts for. Pure, and cheap: it is asked for each record. */
export type Measure = (topic: string, value: unknown) => readonly Measured[];
