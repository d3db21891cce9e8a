/**
 * URLs that may be one of endlessly many, told from the URL alone. Good sites have such URLs too: so they are not refused,
 * but a crawl that follows them has to get somewhere.
 */

/** What a URL looks like: a page of a calendar, a path or query that grows, one that repeats parts of itself. */
export const suspicions = ["calendar", "depth", "length", "path"] as const;
export type Suspicion = (typeof suspicions)[number];

const segmentsMax = 12;
const charsMax = 512;
/** A URL within a URL within a URL: what was escaped is escaped again. */
const nested = /%25[\dA-F]{2}/i;
/** A parameter that comes more often than this. */
const parameterTimesMax = 4;

/** Null where the URL looks like any other. @param url canonical */
export function suspicionOf(url: string): Suspicion | null {
  const from = url.indexOf("/", url.indexOf("://") + 3);
  const path = from < 0 ? "/" : url.slice(from);
  const [pathname = "", query = ""] = path.split("?", 2);
  const segments = pathname.split("/").filter((segment) => segment !== "");
  if (isCalendar(segments, query)) return "calendar";
  if (segments.length > segmentsMax) return "depth";
  if (url.length > charsMax || nested.test(query)) return "length";
  const names = timesOf(segments.filter(isName));
  if (names.filter((times) => times > 1).length > 1 || names.some((times) => times > 2)) return "path";
  const parameters = timesOf(query.split("&").map((pair) => pair.split("=", 1)[0] ?? ""));
  return parameters.some((times) => times > parameterTimesMax) ? "path" : null;
}

/** Numbers and single letters come again in paths of good pages: shards, dates, alphabets. */
const isName = (segment: string): boolean => segment.length > 1 && !/^[\d.,:-]+$/.test(segment);

/** How often each part comes. */
function timesOf(parts: readonly string[]): readonly number[] {
  const times = new Map<string, number>();
  for (const part of parts) times.set(part, (times.get(part) ?? 0) + 1);
  return [...times.values()];
}

/** A segment by which a URL says that it is a page of a calendar, perhaps with an extension. */
export const calendarSegment =
  /^(?:calendar|kalender|calendrier|calendario|agenda|events?)(?:\.[a-z]{1,5})?$/i;
const dateText = /^(?:19|20|21)\d\d(?:-?[01]\d(?:-?[0-3]\d)?)?$/;
const yearParam = /^(?:y|yr|year|jahr|annee|cal_?year)$/i;
const monthParam = /^(?:m|mo|mon|month|monat|mois|cal_?month)$/i;

const dayText = /^(?:19|20|21)\d\d-?[01]\d-?[0-3]\d$/;
const dayParam = /^(?:d|day|tag|jour|dia|cal_?day)$/i;

/** Of a page of a calendar: it stands for a day, of which a month has many, and no longer time. @param url canonical */
export function isDay(url: string): boolean {
  const [pathname = "", query = ""] = url.slice(url.indexOf("://") + 3).split("?", 2);
  const segments = pathname.split("/");
  const at = segments.findLastIndex((segment) => dateText.test(segment));
  const date = segments[at];
  if (date !== undefined) {
    const numbers = segments.slice(at + 1).filter((segment) => /^\d{1,2}$/.test(segment)).length;
    // The date may say the month already.
    if (dayText.test(date) || numbers > (date.length === 4 ? 1 : 0)) return true;
  }
  return query.split("&").some((pair) => {
    const [name = "", value = ""] = pair.split("=", 2);
    return dayText.test(value) || (dayParam.test(name) && /^\d+$/.test(value));
  });
}

function isCalendar(segments: readonly string[], query: string): boolean {
  const pairs = query.split("&").map((pair) => pair.split("=", 2));
  const has = (name: RegExp): boolean =>
    pairs.some(([each = "", value = ""]) => name.test(each) && /^\d+$/.test(value));
  if (has(yearParam) && has(monthParam)) return true;
  if (!segments.some((segment) => calendarSegment.test(segment))) return false;
  // What an event is called comes after its date, and makes it a page of its own.
  return (
    dateText.test(pairs[0]?.[1] ?? "") ||
    pairs.some(([, value = ""]) => dateText.test(value)) ||
    isDateAtEnd(segments)
  );
}

/** `/2026/11`, `/2026-11-22`, `/month/2026-11`, with nothing that follows but numbers or a word of a view. */
function isDateAtEnd(segments: readonly string[]): boolean {
  const last = segments.findLastIndex((segment) => dateText.test(segment));
  if (last < 0) return false;
  return segments.slice(last + 1).every((segment) => /^\d{1,2}$|^(?:day|week|month|list)$/.test(segment));
}
