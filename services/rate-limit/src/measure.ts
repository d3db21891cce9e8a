import type { Measurement } from "@sluice/process";
import { topics, type Outcome, type Permit } from "@sluice/records";

const none: readonly Measurement[] = [];
const expired: readonly Measurement[] = [{ metric: "sluice_rate_limit_expired_urls_total", value: 1 }];

/** What a record that rate-limit has written counts for. */
export function measureRateLimit(topic: string, value: unknown): readonly Measurement[] {
  switch (topic) {
    case topics.permits.name:
      return measurePermit(value as Permit);
    case topics.outcomes.name:
      return measureOutcome(value as Outcome);
    default:
      return none;
  }
}

function measurePermit({ notBeforeMs, releasedAtMs, answer }: Permit): readonly Measurement[] {
  if (answer !== undefined) return none;
  return [
    { metric: "sluice_rate_limit_issued_permits_total", value: 1 },
    { metric: "sluice_rate_limit_wait_seconds", value: Math.max(0, notBeforeMs - releasedAtMs) / 1000 },
  ];
}

function measureOutcome({ kind, category, detail }: Outcome): readonly Measurement[] {
  switch (kind) {
    case "deferred":
      return [
        { metric: "sluice_rate_limit_deferred_urls_total", value: 1, labels: { reason: detail ?? "queue" } },
      ];
    case "refused":
      return [{ metric: "sluice_rate_limit_refused_urls_total", value: 1, labels: { reason: category } }];
    case "expired":
      return expired;
    case "settled":
    case "retry":
      return none;
    default:
      return kind satisfies never;
  }
}
