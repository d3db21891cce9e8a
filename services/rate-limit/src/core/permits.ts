import { topics, type Due, type Permit } from "@sluice/records";
import { defer, expire, refuseUnreachable, tellForgotten } from "./answers.ts";
import { deleteDomain, dropWaiting, saveDomain, type Domain } from "./domains.ts";
import { aheadOf, delayOf, forgetAtMs, nextAtMs, type Politeness } from "./pace.ts";
import { isDead } from "./dead-host.ts";
import { politenessOf, type Turn } from "./turn.ts";

/** What becomes of the URL that has waited longest. */
type Verdict =
  | { readonly kind: "permit"; readonly startAtMs: number; readonly delayMs: number }
  | { readonly kind: "expired" | "unreachable" }
  | { readonly kind: "deferred"; readonly dueAtMs: number }
  | { readonly kind: "wait"; readonly wakeAtMs: number };

/** Permits for what may go now; a wake for what may go later. */
export function issue(turn: Turn, domain: Domain): void {
  const { out } = turn;
  let issued = 0;
  for (const due of domain.waiting.values()) {
    const politeness = politenessOf(turn.context, due.job);
    const verdict = verdictOn(turn, domain, due, politeness);
    if (verdict.kind === "wait") {
      out.push({ kind: "wake", lane: domain.name, atMs: verdict.wakeAtMs });
      break;
    }
    dropWaiting(domain, due, out);
    switch (verdict.kind) {
      case "expired":
        expire(turn, domain, due);
        break;
      case "unreachable":
        refuseUnreachable(turn, domain, due);
        break;
      case "deferred":
        defer(turn, domain, due, verdict.dueAtMs, politeness);
        break;
      case "permit": {
        domain.out.add(due.releaseId);
        issued += 1;
        const permit: Permit = {
          ...due,
          notBeforeMs: Math.ceil(verdict.startAtMs),
          delayMs: verdict.delayMs,
          concurrency: politeness.concurrencyPerHost,
        };
        out.push({ kind: "send", topic: topics.permits.name, key: domain.name, value: permit });
        break;
      }
      default:
        verdict satisfies never;
    }
  }
  if (issued > 0) saveDomain(domain, out);
  if (domain.waiting.size === 0 && domain.out.size === 0) forget(turn, domain);
}

function verdictOn(turn: Turn, domain: Domain, due: Due, politeness: Politeness): Verdict {
  const { nowMs, options } = turn;
  if (due.leaseUntilMs < nowMs) return { kind: "expired" };
  const delayMs = delayOf(domain.pace, politeness, options);
  const startAtMs = nextAtMs(domain.pace, delayMs);
  const isEarly = startAtMs > nowMs + options.leadMs;
  const isGivenUp = isDead(domain.pace, options);
  if (isGivenUp && isEarly) return { kind: "unreachable" };
  if (startAtMs - nowMs > options.waitMaxMs) return { kind: "deferred", dueAtMs: startAtMs };
  // After a back-off one asks whether the host lives again; who comes meanwhile waits for the answer.
  const width = isGivenUp ? 1 : politeness.concurrencyPerHost + aheadOf(domain.pace, delayMs, options);
  // The next outcome looks again; without one, the end of the lease does.
  if (domain.out.size >= width) return { kind: "wait", wakeAtMs: due.leaseUntilMs + 1 };
  if (isEarly) return { kind: "wait", wakeAtMs: startAtMs - options.leadMs };
  return { kind: "permit", startAtMs, delayMs };
}

/** A domain that is idle for long is as one that was never asked. */
function forget(turn: Turn, domain: Domain): void {
  const { state, out, nowMs, options } = turn;
  const atMs = forgetAtMs(domain.pace, options);
  if (atMs > nowMs) {
    out.push({ kind: "wake", lane: domain.name, atMs });
    return;
  }
  deleteDomain(state, domain, out);
  tellForgotten(turn, domain);
}
