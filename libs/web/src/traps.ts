/**
 * URLs that look like one of endlessly many which a site makes up as it is crawled. Told from the URL alone, so every
 * task and every run says the same; what only shows over many URLs is held by limits of pages and depth.
 */
import { calendarSegment } from "./suspicion.ts";
import type { CanonicalUrl } from "./url.ts";

export type TrapReason = "trap_path" | "trap_depth" | "trap_host" | "trap_calendar";

export interface Trap {
  readonly reason: TrapReason;
  /** A sentence for people. */
  readonly detail: string;
}

/** A path repeats itself where this many equal groups of segments follow each other. */
const repetitionsMax = 3;
/** Longer groups are not looked for: relative links that were meant to be absolute repeat a few directories. */
const groupSegmentsMax = 4;
const segmentsMax = 40;
/** DNS allows 127; names that people give have far fewer. */
const labelsMax = 16;
/** A calendar that is followed further than this is followed for ever. */
const calendarYearMax = 2050;

/** Null where the URL looks like any other. */
export function trapOf({ domain, path }: CanonicalUrl): Trap | null {
  return hostTrap(domain) ?? pathTrap(path.split("?", 1)[0] ?? "") ?? calendarTrap(path);
}

function hostTrap(domain: string): Trap | null {
  if (domain.startsWith("[")) return null;
  const labels = domain.split(".");
  if (labels.length > labelsMax)
    return { reason: "trap_host", detail: `host name of ${labels.length} labels, at most ${labelsMax}` };
  // Addresses repeat their numbers as they like.
  if (/^[\d.]+$/.test(domain)) return null;
  const repeated = repetition(labels, 2);
  return repeated === null
    ? null
    : { reason: "trap_host", detail: `host name that repeats ${repeated.join(".")}` };
}

function pathTrap(pathname: string): Trap | null {
  const segments = pathname.split("/").filter((segment) => segment !== "");
  if (segments.length > segmentsMax)
    return { reason: "trap_depth", detail: `path of ${segments.length} segments, at most ${segmentsMax}` };
  const repeated = repetition(segments, groupSegmentsMax);
  return repeated === null
    ? null
    : { reason: "trap_path", detail: `path that repeats /${repeated.join("/")}` };
}

/** The first group of at most `sizeMax` parts that follows itself more than `repetitionsMax` times in all. */
function repetition(parts: readonly string[], sizeMax: number): readonly string[] | null {
  for (let size = 1; size <= sizeMax; size++) {
    let equal = 0;
    for (let i = size; i < parts.length; i++) {
      equal = parts[i] === parts[i - size] ? equal + 1 : 0;
      if (equal >= size * repetitionsMax) return parts.slice(i - size + 1, i + 1);
    }
  }
  return null;
}

/** A year, month or day, as a whole segment or value. */
const date = /^(\d{4})(?:-\d\d?){0,2}$/;

/** The past may well be told of in events; what is nearer is followed as long as it leads somewhere (suspicion.ts). */
function calendarTrap(path: string): Trap | null {
  const [pathname = "", query = ""] = path.split("?", 2);
  const segments = pathname.split("/");
  if (!segments.some((segment) => calendarSegment.test(segment))) return null;
  const values = query.split("&").map((pair) => pair.slice(pair.indexOf("=") + 1));
  for (const part of [...segments, ...values]) {
    const year = Number(date.exec(part)?.[1] ?? 0);
    if (year > calendarYearMax)
      return { reason: "trap_calendar", detail: `calendar page of the year ${year}` };
  }
  return null;
}
