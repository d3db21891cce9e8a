import { failedEvent, sendEvent, sendOutcome } from "./answers.ts";
import type { QueuedPermit } from "./host.ts";
import type { Turn } from "./turn.ts";
import type { CrawlEvent } from "@sluice/records";

/** What robots.txt says of a URL that is refused for it. */
export type RobotsSaid = Required<
  Pick<
    Extract<CrawlEvent, { type: "url_failed" }>,
    "robotsStatus" | "robotsRule" | "robotsLine" | "robotsAgeMs"
  >
>;

/**
 * The URL is never fetched: an event and a reason, no result.
 * @param announced what was sent to the frontier on its account
 */
export function refuse(
  turn: Turn,
  head: QueuedPermit,
  category: string,
  detail: string,
  robots?: RobotsSaid,
  announced: { readonly records: number; readonly links: number } = { records: 0, links: 0 },
): void {
  const { host, out, nowMs } = turn;
  const event = failedEvent(head.permit, category, detail, nowMs, { refused: true, final: true });
  sendEvent(out, robots === undefined ? event : { ...event, ...robots });
  sendOutcome(out, host, head.permit, {
    kind: "refused",
    category,
    detail,
    linkRecords: announced.records,
    links: announced.links,
  });
  out.push({ kind: "finish", id: head.recordId });
}

/** Not now: the URL goes back to the frontier, which releases it again when it is due. */
export function defer(turn: Turn, head: QueuedPermit, dueAtMs: number, reason: string): void {
  sendOutcome(turn.out, turn.host, head.permit, {
    kind: "deferred",
    category: reason,
    dueAtMs: Math.ceil(dueAtMs),
    breakerUntilMs: reason === "breaker" ? Math.ceil(dueAtMs) : null,
    detail: reason,
  });
  turn.out.push({ kind: "finish", id: head.recordId });
}
