/** Figures of the last minute, one a second, by the time that the events carry and not by that of this machine. */

export const seriesSeconds = 60;

export interface SecondSeries {
  /** Epoch second of the last value; null before the first event. */
  readonly endSecond: number | null;
  /** Oldest first, at most `seriesSeconds`. */
  readonly values: readonly number[];
}

export const emptySeries: SecondSeries = { endSecond: null, values: [] };

const secondOf = (atMs: number): number => Math.floor(atMs / 1000);

/** Time goes on to `atMs`: seconds without an event get `fill`, or the last value where it is null. */
export function advance(series: SecondSeries, atMs: number, fill: number | null = 0): SecondSeries {
  const second = secondOf(atMs);
  const { endSecond, values } = series;
  if (endSecond === null) return { endSecond: second, values: [fill ?? 0] };
  if (second <= endSecond) return series;
  const passed = Math.min(second - endSecond, seriesSeconds);
  const filled = Array.from({ length: passed }, () => fill ?? values.at(-1) ?? 0);
  return { endSecond: second, values: [...values, ...filled].slice(-seriesSeconds) };
}

/** Counts one more in the second of `atMs`; what is older than the series is left out. */
export function count(series: SecondSeries, atMs: number): SecondSeries {
  const { endSecond, values } = advance(series, atMs);
  if (endSecond === null) return series;
  const index = values.length - 1 - (endSecond - secondOf(atMs));
  const before = values[index];
  return before === undefined ? { endSecond, values } : { endSecond, values: values.with(index, before + 1) };
}

/** The figure is `value` from `atMs` on. */
export function hold(series: SecondSeries, atMs: number, value: number): SecondSeries {
  const { endSecond, values } = advance(series, atMs, null);
  if (endSecond === null || secondOf(atMs) < endSecond) return series;
  return { endSecond, values: [...values.slice(0, -1), value] };
}

const rateSeconds = 10;

/** A second, over the last ten whole seconds or what there is of them; null before the first has passed. */
export function rateOf({ values }: SecondSeries): number | null {
  const whole = values.slice(0, -1).slice(-rateSeconds);
  if (whole.length === 0) return null;
  return whole.reduce((sum, value) => sum + value, 0) / whole.length;
}

const smoothSeconds = 5;

/** Each value as the mean of itself and the four before it: whole pages in single seconds make no line. */
export function smoothed(values: readonly number[]): readonly number[] {
  return values.map((_, index) => {
    const span = values.slice(Math.max(0, index - smoothSeconds + 1), index + 1);
    return span.reduce((sum, value) => sum + value, 0) / span.length;
  });
}
