/** Dates in HTTP headers, in all three spellings that a recipient must read (RFC 9110 §5.6.7). */

const months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const dayMs = 86_400_000;

/** Sun, 06 Nov 1994 08:49:37 GMT */
const imfFixdate = /^[a-z]{3}, (\d{2}) ([a-z]{3}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) gmt$/i;
/** Sunday, 06-Nov-94 08:49:37 GMT */
const rfc850 = /^[a-z]{6,9}, (\d{2})-([a-z]{3})-(\d{2}) (\d{2}):(\d{2}):(\d{2}) gmt$/i;
/** Sun Nov  6 08:49:37 1994 */
const asctime = /^[a-z]{3} ([a-z]{3}) ([ \d]\d) (\d{2}):(\d{2}):(\d{2}) (\d{4})$/i;

/**
 * An HTTP-date as Unix time in milliseconds; null for any other text.
 * @param nowMs a year of two digits is taken as the one that lies at most 50 years after it
 */
export function httpDateMs(text: string, nowMs: number): number | null {
  const trimmed = text.trim();
  const fixed = imfFixdate.exec(trimmed);
  if (fixed !== null) {
    const [, day, month, year, hour, minute, second] = fixed;
    return unixMs(Number(year), month, day, hour, minute, second);
  }
  const short = rfc850.exec(trimmed);
  if (short !== null) {
    const [, day, month, year, hour, minute, second] = short;
    const nowYear = Math.floor(1970 + nowMs / dayMs / 365.2425);
    const sameCentury = nowYear - (nowYear % 100) + Number(year);
    const full = sameCentury > nowYear + 50 ? sameCentury - 100 : sameCentury;
    return unixMs(full, month, day, hour, minute, second);
  }
  const old = asctime.exec(trimmed);
  if (old !== null) {
    const [, month, day, hour, minute, second, year] = old;
    return unixMs(Number(year), month, day, hour, minute, second);
  }
  return null;
}

function unixMs(
  year: number,
  monthName: string | undefined,
  day: string | undefined,
  hour: string | undefined,
  minute: string | undefined,
  second: string | undefined,
): number | null {
  return utcMs([year, monthOf(monthName ?? ""), Number(day), Number(hour), Number(minute), Number(second)]);
}

/** A month's English name of three letters as a number from 1; 0 where it is none. */
export function monthOf(name: string): number {
  return months.indexOf(name.toLowerCase()) + 1;
}

/** Year, month (from 1), day, hour, minute, second. */
export type DateParts = readonly [number, number, number, number, number, number];

/** An instant in UTC as Unix time in milliseconds; null where the calendar has no such instant. */
export function utcMs([year, month, day, hour, minute, second]: DateParts): number | null {
  // A leap second is a valid time (RFC 9110 §5.6.7: 60); it counts as the next minute's first.
  if (month < 1 || month > 12 || day < 1 || day > daysIn(year, month)) return null;
  if (hour > 23 || minute > 59 || second > 60) return null;
  return daysFromEpoch(year, month, day) * dayMs + hour * 3_600_000 + minute * 60_000 + second * 1000;
}

function isLeap(year: number): boolean {
  return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
}

function daysIn(year: number, month: number): number {
  if (month === 2) return isLeap(year) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** Days from 1970-01-01 to a date of the Gregorian calendar. */
function daysFromEpoch(year: number, month: number, day: number): number {
  const before = year - 1;
  let days = before * 365 + Math.floor(before / 4) - Math.floor(before / 100) + Math.floor(before / 400);
  for (let m = 1; m < month; m++) days += daysIn(year, m);
  const daysTo1970 = 719_162;
  return days + day - 1 - daysTo1970;
}
