/** Dates as sitemaps and feeds write them. */
import { monthOf, utcMs, type DateParts } from "./http-date.ts";

/** 2026, 2026-11, 2026-11-22, 2026-11-22T08:30Z, 2026-11-22T08:30:00.5+01:00 (W3C date and time; Atom: RFC 3339) */
const w3c =
  /^(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:\.\d{1,9})?)? ?([Zz]|[+-]\d\d:?\d\d)?)?)?)?$/;
/** Sun, 22 Nov 2026 08:30:00 +0100 (RSS: RFC 822 with four digits of the year) */
const rfc822 =
  /^(?:[a-z]{3}, ?)?(\d{1,2}) ([a-z]{3}) (\d{4}) (\d\d):(\d\d)(?::(\d\d))? ?([a-z]{1,3}|[+-]\d{4})?$/i;

/** A date as Unix time in milliseconds, in UTC where it names no zone; null for any other text. */
export function feedDateMs(text: string): number | null {
  const iso = w3c.exec(text);
  if (iso !== null) {
    const [, year, month = "1", day = "1", hour = "0", minute = "0", second = "0", zone = "Z"] = iso;
    return instant([year ?? "", month, day, hour, minute, second].map(Number), zone);
  }
  const rss = rfc822.exec(text);
  if (rss === null) return null;
  const [, day, month = "", year, hour, minute, second = "0", zone = "Z"] = rss;
  return instant(
    [Number(year), monthOf(month), Number(day), Number(hour), Number(minute), Number(second)],
    zone,
  );
}

function instant(parts: readonly number[], zone: string): number | null {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts;
  const date: DateParts = [year, month, day, hour, minute, second];
  const localMs = utcMs(date);
  return localMs === null ? null : localMs - zoneMinutes(zone) * 60_000;
}

/** Minutes ahead of UTC. A zone's name counts as UTC: these dates are hints, and nearly all names are GMT. */
function zoneMinutes(zone: string): number {
  const [, sign, hours, minutes] = /^([+-])(\d\d):?(\d\d)$/.exec(zone) ?? [];
  return sign === undefined ? 0 : (sign === "-" ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
}
