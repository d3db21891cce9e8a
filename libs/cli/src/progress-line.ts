/** The line that tells how the crawl stands. */
import type { UrlCounts } from "@sluice/records";
import type { WaitingHosts } from "./waiting-hosts.ts";

export interface ProgressView {
  readonly figures: UrlCounts;
  readonly maxPages: number | null;
  readonly pagesPerSecond: number;
  readonly hosts: WaitingHosts;
  /** Least time between two requests to a host, as the job has it. */
  readonly delayMs: number;
  /** What is going on instead of crawling, e.g. `starting services`; null while it crawls. */
  readonly phase: string | null;
  readonly elapsedMs: number;
}

const reasonTexts = {
  none: "nothing",
  retry_after: "Retry-After",
  back_off: "back-off after failures",
  breaker: "circuit breaker",
  crawl_delay: "crawl-delay of robots.txt",
} as const;

export function progressLine(view: ProgressView): string {
  const { done, failed, waiting, inFlight } = view.figures;
  const pages = done + failed;
  const parts = [
    clock(view.elapsedMs),
    `${view.maxPages === null ? pages : `${pages}/${view.maxPages}`} pages`,
    `${view.pagesPerSecond.toFixed(1)}/s`,
    `${waiting} queued`,
    `${inFlight} in flight`,
    `${failed} failed`,
  ];
  const why = view.phase ?? waitingText(view);
  if (why !== "") parts.push(why);
  return parts.join("  ");
}

/** Why nothing, or not more, is fetched now; empty where there is nothing to tell. */
function waitingText({ figures, hosts, delayMs, pagesPerSecond }: ProgressView): string {
  if (hosts.count === 0) {
    if (figures.waiting === 0) return "";
    if (delayMs > 0) return "waiting: delay between requests to a host";
    return pagesPerSecond > 0 ? "" : "waiting: retries that are not due yet";
  }
  const reasons = hosts.reasons.map(({ reason, count }) => `${count} ${reasonTexts[reason]}`).join(", ");
  const longest =
    hosts.longest === null ? "" : `; longest ${hosts.longest.domain}, ${duration(hosts.longest.waitMs)} more`;
  return `${hosts.count} ${hosts.count === 1 ? "host waits" : "hosts wait"}: ${reasons}${longest}`;
}

/** `0:05`, `12:40`, `1:02:03`. */
function clock(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const two = (value: number): string => String(value).padStart(2, "0");
  const minutes = Math.floor(seconds / 60);
  return minutes < 60
    ? `${minutes}:${two(seconds % 60)}`
    : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(seconds % 60)}`;
}

/** `42 s`, `3.5 min`, `2.0 h`. */
export function duration(ms: number): string {
  if (ms < 60_000) return `${Math.ceil(ms / 1000)} s`;
  return ms < 3_600_000 ? `${(ms / 60_000).toFixed(1)} min` : `${(ms / 3_600_000).toFixed(1)} h`;
}
