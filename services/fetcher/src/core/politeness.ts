import type { StepContext } from "@sluice/topology";
import { jobOf } from "./jobs.ts";
import type { Host, QueuedPermit } from "./host.ts";
import type { Turn } from "./turn.ts";

/** The earliest instant at which the domain may be asked, by everything this fetcher knows; it is remembered. */
export function earliest({ host, context }: Turn, head: QueuedPermit): number {
  host.delayMaxMs = Math.max(host.delayMaxMs, delayOf(host, head, context));
  return startAtMs(host, head, context);
}

function delayOf(host: Host, { permit }: QueuedPermit, context: StepContext): number {
  const { delayMaxMs } = jobOf(context, permit.job).politeness;
  return Math.max(permit.delayMs, Math.min(host.crawlDelayMs ?? 0, delayMaxMs));
}

/** The same without a trace; infinite while a request has been asked for and not begun. */
export function startAtMs(host: Host, head: QueuedPermit, context: StepContext): number {
  const { permit } = head;
  const delayMs = delayOf(host, head, context);
  // The clock of rate-limit may differ from ours: no more than its lead is believed of it.
  const permittedAtMs = Math.min(permit.notBeforeMs, head.receivedAtMs + 1000);
  if (delayMs === 0) return Math.max(host.holdUntilMs, permittedAtMs);
  if (permit.concurrency > 1) {
    // Spaced by starts: one that has been asked for and not begun has no start yet.
    if (host.unbegun.size > 0) return Infinity;
    const lastMs = host.lastStartMs ?? context.assignedAtMs;
    return Math.max(host.holdUntilMs, permittedAtMs, lastMs + delayMs);
  }
  // Spaced from the end of one to the start of the next, so that no delay on the way can bring them closer.
  const lastMs = host.lastEndMs ?? context.assignedAtMs;
  return Math.max(host.holdUntilMs, permittedAtMs, lastMs + delayMs);
}

/** Nothing is asked of the host before then; of several reasons the longest counts. */
export function hold(host: Host, untilMs: number, reason: string): void {
  if (untilMs <= host.holdUntilMs) return;
  host.holdUntilMs = untilMs;
  host.holdReason = reason;
}
