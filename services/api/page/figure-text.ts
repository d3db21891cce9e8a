/** Figures as people read them. */

const whole = new Intl.NumberFormat("en");
const tenths = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });

export const countText = (count: number): string => whole.format(count);

/** Small rates with a tenth, large ones without. */
export const rateText = (perSecond: number): string =>
  perSecond < 99.95 ? tenths.format(perSecond) : whole.format(Math.round(perSecond));

/** `0:05`, `12:30`, `3:05:09`. */
export function elapsedText(seconds: number): string {
  const two = (value: number): string => String(value).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor(seconds / 60) % 60;
  const rest = two(Math.floor(seconds) % 60);
  return hours === 0 ? `${minutes}:${rest}` : `${hours}:${two(minutes)}:${rest}`;
}

export function durationText(ms: number): string {
  return ms < 10_000 ? `${whole.format(Math.round(ms))} ms` : `${tenths.format(ms / 1000)} s`;
}

/** How long ago, roughly. */
export function agoText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86_400)} d ago`;
}
