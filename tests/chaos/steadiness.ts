/** Judges a long run by what was sampled of it from outside. Pure. */

/** One reading of one process. */
export interface Reading {
  readonly atMs: number;
  /** Resident megabytes. */
  readonly mb: number;
}

export interface Slope {
  readonly mbPerHour: number;
  /** Standard error of it: how much of it may be chance. */
  readonly errorMbPerHour: number;
}

/** Time in which there was work to do. */
export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

const hourMs = 3_600_000;

/**
 * How fast the level of memory rises: the median reading of each of `windows` equal parts of the time, and a line
 * through them by least squares. Within a window the garbage collector lets memory fall and rise again; the median does
 * not depend on when in it somebody looked, as the least and the largest reading do. Null where fewer than three windows
 * have a reading.
 */
export function levelSlope(readings: readonly Reading[], windows: number): Slope | null {
  const levels = levelsOf(readings, windows);
  if (levels.length < 3) return null;
  const meanT = mean(levels.map(({ atMs }) => atMs / hourMs));
  const meanMb = mean(levels.map(({ mb }) => mb));
  let squares = 0;
  let products = 0;
  for (const { atMs, mb } of levels) {
    squares += (atMs / hourMs - meanT) ** 2;
    products += (atMs / hourMs - meanT) * (mb - meanMb);
  }
  const slope = products / squares;
  const residuals = levels.map(({ atMs, mb }) => (mb - meanMb - slope * (atMs / hourMs - meanT)) ** 2);
  const variance = residuals.reduce((sum, each) => sum + each, 0) / (levels.length - 2);
  return { mbPerHour: slope, errorMbPerHour: Math.sqrt(variance / squares) };
}

/** The median reading of each window, at the window's middle. */
function levelsOf(readings: readonly Reading[], windows: number): readonly Reading[] {
  const first = Math.min(...readings.map(({ atMs }) => atMs));
  const last = Math.max(...readings.map(({ atMs }) => atMs));
  const widthMs = (last - first) / windows;
  if (!(widthMs > 0)) return [];
  const inWindow = new Map<number, number[]>();
  for (const { atMs, mb } of readings) {
    const window = Math.min(windows - 1, Math.floor((atMs - first) / widthMs));
    const sizes = inWindow.get(window) ?? [];
    sizes.push(mb);
    inWindow.set(window, sizes);
  }
  return [...inWindow].map(([window, sizes]) => ({
    atMs: first + (window + 0.5) * widthMs,
    mb: percentile(sizes, 0.5),
  }));
}

function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, each) => sum + each, 0) / numbers.length;
}

/**
 * Longest time without progress while there was work, in milliseconds: between two instants of progress within
 * a span, from its begin to its first, and from its last to its end.
 */
export function longestPause(progressAtMs: readonly number[], spans: readonly Span[]): number {
  let longest = 0;
  for (const { fromMs, toMs } of spans) {
    let before = fromMs;
    for (const atMs of [...progressAtMs.filter((each) => each >= fromMs && each <= toMs), toMs]) {
      longest = Math.max(longest, atMs - before);
      before = atMs;
    }
  }
  return longest;
}

/** The value below which so large a part (0 to 1) of the numbers lies: the nearest rank. NaN of none. */
export function percentile(numbers: readonly number[], part: number): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? Number.NaN;
}

/** The value of a series in the text format of Prometheus; null where it is not there. */
export function metricValue(text: string, name: string, label: string): number | null {
  for (const line of text.split("\n")) {
    if (!line.startsWith(`${name}{`) || !line.includes(label)) continue;
    const value = Number(
      line
        .slice(line.lastIndexOf("}") + 1)
        .trim()
        .split(" ")[0],
    );
    return Number.isFinite(value) ? value : null;
  }
  return null;
}
