import type { FetchOutcome } from "../calls.ts";
import { settlePage } from "./pages.ts";
import type { QueuedPermit } from "./host.ts";
import { isCancelled, knownJob } from "./jobs.ts";
import { hold, policyFor } from "./politeness.ts";
import { settleErrand } from "./errands.ts";
import { holdForRobots, robotsEntry } from "./robots.ts";
import type { Turn } from "./turn.ts";

/** A call has settled: it moves the clock of the domain, and is then read as what it asked for. */
export function settle(turn: Turn, callId: string, outcome: FetchOutcome): void {
  if (takeBack(turn, callId)) return;
  read(turn, callId, outcome);
  withdraw(turn);
}

/** What waits for a free slot must not begin while the host is held: it is called back, to be asked for again. */
function withdraw({ host, out, nowMs }: Turn): void {
  if (host.holdUntilMs <= nowMs) return;
  for (const callId of host.unbegun) {
    if (host.withdrawn.has(callId)) continue;
    host.withdrawn.add(callId);
    out.push({ kind: "abort", callId });
  }
}

/** A call that was withdrawn has settled without a request: its permit waits again. */
function takeBack({ host, sitemaps }: Turn, callId: string): boolean {
  if (!host.withdrawn.delete(callId)) return false;
  const queued = host.running.get(callId)?.queued ?? null;
  sitemaps.delete(callId);
  host.running.delete(callId);
  host.unbegun.delete(callId);
  if (queued !== null) host.queue.unshift(queued);
  return true;
}

const wasCancelled = ({ answer }: FetchOutcome): boolean =>
  answer.kind === "failed" && answer.category === "cancelled";

const isUnblocked = ({ context }: Turn, { permit }: QueuedPermit): boolean =>
  (policyFor(context, permit.url).blocked ?? null) === null &&
  !isCancelled(knownJob(context, permit), permit);

function read(turn: Turn, callId: string, outcome: FetchOutcome): void {
  const { host, nowMs, options, sitemaps } = turn;
  const running = host.running.get(callId);
  if (running === undefined) throw new Error(`call ${callId} settled and is not known`);
  sitemaps.delete(callId);
  host.running.delete(callId);
  host.unbegun.delete(callId);
  const asked =
    outcome.answer.kind !== "breaker_open" &&
    !(
      outcome.answer.kind === "failed" &&
      !outcome.answer.requestSent &&
      outcome.answer.category === "address_refused"
    );
  if (asked) host.lastEndMs = nowMs;
  if (asked && running.startedAtMs !== null && !wasCancelled(outcome))
    host.promptness = nowMs - running.startedAtMs < options.slowAfterMs ? "prompt" : "slow";
  host.breaker = outcome.breaker.state;
  if (outcome.answer.kind === "breaker_open") hold(host, outcome.answer.retryAtMs, "breaker");
  else if (outcome.breaker.retryAtMs !== null) hold(host, outcome.breaker.retryAtMs, "breaker");
  if (outcome.kind === "robots") {
    const retryAfterMs = holdForRobots(turn, outcome.answer);
    const isEnded = host.ended.delete(callId);
    if (running.queued !== null)
      return settleErrand(turn, running.queued, outcome, { isAsked: asked, isEnded, retryAfterMs });
    if (asked) host.robotsRequests += 1;
    // Aborted by a shutdown: it says nothing, and whoever owns the domain next asks again.
    if (outcome.answer.kind === "failed" && outcome.answer.category === "cancelled") return;
    host.keepRobots(running.origin, robotsEntry(turn, running, outcome.answer), options.originsMax);
    return;
  }
  const isEnded = host.ended.delete(callId);
  if (running.queued === null) throw new Error(`page call ${callId} has no permit`);
  if (isEnded && isUnblocked(turn, running.queued) && wasCancelled(outcome)) {
    // Blocked for so short a time that it may be asked for again.
    host.queue.unshift(running.queued);
    return;
  }
  settlePage(turn, running.queued, running, outcome);
}
