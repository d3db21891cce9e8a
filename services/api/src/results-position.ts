/** Where a reader of results stands: the next offset of each partition of `crawl.results`. */

export type ResultsPosition = readonly number[];

export function formatResultsPosition(position: ResultsPosition): string {
  return position.join(".");
}

/** Null where it is none of a topic with that many partitions. */
export function parseResultsPosition(text: string, partitions: number): ResultsPosition | null {
  const parts = text.split(".");
  if (parts.length !== partitions || !parts.every((part) => /^(0|[1-9]\d{0,15})$/.test(part))) return null;
  const position = parts.map(Number);
  return position.every((offset) => Number.isSafeInteger(offset)) ? position : null;
}

type Marks = readonly { readonly low: number; readonly high: number }[];

/** The part of the topic that one answer is about. */
export interface ResultsSpan {
  readonly from: ResultsPosition;
  /** Of each partition the offset at which it ends, itself left out. */
  readonly end: ResultsPosition;
  /** Records that were asked for and are not there any more, of whatever jobs. */
  readonly lost: number;
}

/**
 * From the position on to what is there now. Null where the topic has never been that long: it was made anew, or
 * the position is of another one.
 */
export function spanAfter(position: ResultsPosition, marks: Marks): ResultsSpan | null {
  if (marks.some(({ high }, partition) => (position[partition] ?? 0) > high)) return null;
  const from = marks.map(({ low }, partition) => Math.max(low, position[partition] ?? low));
  const lost = from.reduce((sum, offset, partition) => sum + offset - (position[partition] ?? offset), 0);
  return { from, end: marks.map(({ high }) => high), lost };
}

/** All that is there, or, where it is known, what came since a run was submitted. */
export function spanSince(submittedAt: ResultsPosition | null, marks: Marks): ResultsSpan {
  const known = submittedAt?.length === marks.length ? spanAfter(submittedAt, marks) : null;
  return known ?? { from: marks.map(({ low }) => low), end: marks.map(({ high }) => high), lost: 0 };
}
