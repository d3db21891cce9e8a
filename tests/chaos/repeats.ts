/** Requests beyond those that were meant, told by what made them necessary. */
import type { Blow } from "./losses.ts";

/** As an origin has it in its log. */
export interface Asked {
  readonly startMs: number;
}

export interface Repeats {
  /** All requests beyond one a result. */
  readonly made: number;
  /** Pages of which one was made again though nobody had lost it. */
  readonly withoutCause: readonly string[];
}

/** A clock of a log and that of an origin are one, and what is written to either comes a moment later. */
const slackMs = 250;

/**
 * A page may be asked for once for each of its results, and once more for each request that somebody lost: between its start and
 * that of the next one a process died, or lost its tasks or a commit.
 * @param meant results by page
 */
export function repeatsOf(
  pages: ReadonlyMap<string, readonly Asked[]>,
  meant: ReadonlyMap<string, number>,
  blows: readonly Pick<Blow, "atMs" | "untilMs">[],
): Repeats {
  let made = 0;
  const withoutCause: string[] = [];
  for (const [page, asked] of pages) {
    const beyond = asked.length - (meant.get(page) ?? 0);
    if (beyond <= 0) continue;
    made += beyond;
    const starts = asked.map(({ startMs }) => startMs).sort((a, b) => a - b);
    const lost = starts.filter((startMs, index) => {
      const next = starts[index + 1];
      return (
        next !== undefined &&
        blows.some(({ atMs, untilMs }) => startMs <= untilMs + slackMs && atMs - slackMs <= next)
      );
    });
    if (lost.length < beyond) withoutCause.push(page);
  }
  return { made, withoutCause };
}
