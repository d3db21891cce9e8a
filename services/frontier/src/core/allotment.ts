/** How what may be used up only once is handed out to tasks: totals, of which what is not needed comes back. */

/** What a task has, as far as is known. */
export interface Share {
  readonly granted: number;
  /** Given back of it. */
  readonly returned: number;
  /** What it would like to have had in all. */
  readonly wanted: number;
}

export interface Allotment {
  /** New totals of the tasks that get more. */
  readonly granted: ReadonlyMap<number, number>;
  /** Some get less than they want: what others do not need has to come back. */
  readonly isUnmet: boolean;
}

/** A task gets part of what is left, so that all get some; those that have had least come first. */
export function allot(max: number, shares: ReadonlyMap<number, Share>): Allotment {
  let pool = max;
  for (const { granted, returned } of shares.values()) pool -= granted - returned;
  const wanting = [...shares]
    .map(([task, { granted, wanted }]) => ({ task, granted, want: wanted - granted }))
    .filter(({ want }) => want > 0)
    .sort((a, b) => a.granted - b.granted || a.task - b.task);
  const granted = new Map<number, number>();
  let left = wanting.length;
  let isUnmet = false;
  for (const { task, granted: before, want } of wanting) {
    const give = Math.min(want, Math.ceil(pool / left));
    left -= 1;
    if (give < want) isUnmet = true;
    if (give <= 0) continue;
    pool -= give;
    granted.set(task, before + give);
  }
  return { granted, isUnmet };
}
