/** Where a client stands in the events: the position of the last one it got, as the id of the message. */

export interface EventPosition {
  readonly partition: number;
  readonly offset: number;
}

export function formatPosition({ partition, offset }: EventPosition): string {
  return `${partition}:${offset}`;
}

/** Null where it is none. */
export function parsePosition(text: string): EventPosition | null {
  const match = /^(0|[1-9]\d{0,8}):(0|[1-9]\d{0,15})$/.exec(text);
  if (match === null) return null;
  const [partition, offset] = [Number(match[1]), Number(match[2])];
  return Number.isSafeInteger(offset) ? { partition, offset } : null;
}
