/** How long to wait before the next try. */

export const backOffMaxMs = 30_000;

/**
 * Doubles with each try up to the most; half of it by chance, so that pages that lost the same server do not all
 * come back at once.
 * @param failures tries in a row that led to nothing, from 1
 * @param random from 0 to below 1
 */
export function backOffMs(failures: number, baseMs: number, random: number): number {
  const mostMs = Math.min(backOffMaxMs, baseMs * 2 ** Math.min(failures - 1, 16));
  return Math.round(mostMs * (0.5 + random / 2));
}
