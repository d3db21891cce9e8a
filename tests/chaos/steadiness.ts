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
 * How fast the floor of a sawtooth rises: the least reading of each of `windows` equal parts of the time, and a
 * line through them by least squares. A garbage collection lets memory fall, so that only its floor tells what
 * is held; a leak lifts it. Null where fewer than three windows have a reading.
 */
export function floorSlope(readings: readonly Reading[], windows: number): Slope | null {
  const floors = floorsOf(readings, windows);
  if (floors.length < 3) return null;
  const meanT = mean(floors.map(({ atMs }) => atMs / hourMs));
  const meanMb = mean(floors.map(({ mb }) => mb));
  let squares = 0;
  let products = 0;
  for (const { atMs, mb } of floors) {
    squares += (atMs / hourMs - meanT) ** 2;
    products += (atMs / hourMs - meanT) * (mb - meanMb);
  }
  const slope = products / squares;
  const residuals = floors.map(({ atMs, mb }) => (mb - meanMb - slope * (atMs / hourMs - meanT)) ** 2);
  const variance = residuals.reduce((sum, each) => sum + each, 0) / (floors.length - 2);
  return { mbPerHour: slope, errorMbPerHour: Math.sqrt(variance / squares) };
}

/** The least reading of each window, at the window's middle: when within it a collection fell is chance. */
function floorsOf(readings: readonly Reading[], windows: number): readonly Reading[] {
  const first = Math.min(...readings.map(({ atMs }) => atMs));
  const last = Math.max(...readings.map(({ atMs }) => atMs));
  const widthMs = (last - first) / windows;
  if (!(widthMs > 0)) return [];
  const floors = new Map<number, number>();
  for (const { atMs, mb } of readings) {
    const window = Math.min(windows - 1, Math.floor((atMs - first) / widthMs));
    floors.set(window, Math.min(mb, floors.get(window) ?? Number.POSITIVE_INFINITY));
  }
  return [...floors].map(([window, mb]) => ({ atMs: first + (window + 0.5) * widthMs, mb }));
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
