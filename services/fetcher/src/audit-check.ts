/** Whether the lines of an audit show a host that was asked too soon, or too often in a minute. */

/** What the check reads of a line; `time` is when the request began. */
export interface AuditedRequest {
  readonly atMs: number;
  /** Whose clock it keeps: a host, or the registrable domain of several. */
  readonly domain: string;
  readonly waitMs: number;
  readonly waitSource: string;
  readonly perMinuteMax: number | null;
}

export interface AuditReport {
  readonly requests: number;
  readonly hosts: number;
  /** Lines of the log that are no JSON; those of other events are passed over. */
  readonly unreadable: number;
  /** Highest number of requests to one host in any minute. */
  readonly perMinuteHighest: number;
  /** Requests by what made them wait. */
  readonly waits: Readonly<Record<string, number>>;
  /** The first of them, in order of hosts and time. */
  readonly faults: readonly string[];
  readonly faultsCount: number;
}

/** Time is written in whole milliseconds, rounded at both ends of a gap. */
const toleranceMs = 2;
const minuteMs = 60_000;
const faultsMax = 20;

/** @param lines of one or several fetchers, in any order */
export function checkAudit(lines: Iterable<string>): AuditReport {
  const byHost = new Map<string, AuditedRequest[]>();
  const waits: Record<string, number> = {};
  let requests = 0;
  let unreadable = 0;
  for (const line of lines) {
    if (line.trim() === "") continue;
    const found = requestOf(line);
    if (found === "unreadable") unreadable += 1;
    if (found === "other" || found === "unreadable") continue;
    requests += 1;
    waits[found.waitSource] = (waits[found.waitSource] ?? 0) + 1;
    const known = byHost.get(found.domain);
    if (known === undefined) byHost.set(found.domain, [found]);
    else known.push(found);
  }
  const faults: string[] = [];
  let perMinuteHighest = 0;
  for (const [, all] of [...byHost].sort(([a], [b]) => (a < b ? -1 : 1))) {
    all.sort((a, b) => a.atMs - b.atMs);
    perMinuteHighest = Math.max(perMinuteHighest, checkHost(all, faults));
  }
  return {
    requests,
    hosts: byHost.size,
    unreadable,
    perMinuteHighest,
    waits,
    faults: faults.slice(0, faultsMax),
    faultsCount: faults.length,
  };
}

/** Requests of one host in order of time; returns the most in any minute. */
function checkHost(all: readonly AuditedRequest[], faults: string[]): number {
  let highest = 0;
  let first = 0;
  for (const [index, request] of all.entries()) {
    const before = all[index - 1];
    const gapMs = before === undefined ? Infinity : request.atMs - before.atMs;
    if (gapMs + toleranceMs < request.waitMs)
      faults.push(
        `${request.domain}: asked ${gapMs} ms after the request before, ${request.waitMs} ms had to be waited (${request.waitSource})`,
      );
    while ((all[first]?.atMs ?? Infinity) <= request.atMs - minuteMs) first += 1;
    const inMinute = index - first + 1;
    highest = Math.max(highest, inMinute);
    if (request.perMinuteMax !== null && inMinute > request.perMinuteMax)
      faults.push(
        `${request.domain}: ${inMinute} requests in a minute, ${request.perMinuteMax} were allowed`,
      );
  }
  return highest;
}

function requestOf(line: string): AuditedRequest | "other" | "unreadable" {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    return "unreadable";
  }
  if (typeof json !== "object" || json === null) return "unreadable";
  const fields = json as Readonly<Record<string, unknown>>;
  if (fields["event"] !== "request") return "other";
  const { time, host, domain = host, waitMs, waitSource, perMinuteMax } = fields;
  const atMs = typeof time === "string" ? Date.parse(time) : Number.NaN;
  if (Number.isNaN(atMs) || typeof domain !== "string" || typeof waitMs !== "number") return "unreadable";
  return {
    atMs,
    domain,
    waitMs,
    waitSource: String(waitSource),
    perMinuteMax: typeof perMinuteMax === "number" ? perMinuteMax : null,
  };
}
