import type { Measurement } from "@sluice/process";
import { topics, type CrawlEvent, type Link, type Outcome } from "@sluice/records";

const none: readonly Measurement[] = [];
const released: readonly Measurement[] = [{ metric: "sluice_frontier_released_urls_total", value: 1 }];

/** What a record that the frontier has read counts for. */
export function measureAnswer(topic: string, value: unknown): readonly Measurement[] {
  if (topic !== topics.outcomes.name) return none;
  const { kind } = value as Outcome;
  return [{ metric: "sluice_frontier_answered_urls_total", value: 1, labels: { kind } }];
}

/** What a record that the frontier has written counts for. */
export function measureFrontier(topic: string, value: unknown): readonly Measurement[] {
  switch (topic) {
    case topics.due.name:
      return released;
    case topics.links.name:
      return measureLinks(value as Link);
    case topics.events.name:
      return measureEvent(value as CrawlEvent);
    default:
      return none;
  }
}

/** Seeds are links for the first time; all others come from pages that are nearer than was thought. */
function measureLinks({ kind, urls }: Link): readonly Measurement[] {
  if (kind === "seed") return none;
  return [{ metric: "sluice_frontier_reannounced_urls_total", value: urls.length }];
}

function measureEvent(event: CrawlEvent): readonly Measurement[] {
  switch (event.type) {
    case "url_failed":
      return [{ metric: "sluice_frontier_refused_urls_total", value: 1, labels: { reason: event.category } }];
    case "job_completed":
      return ended(event.finishReason);
    case "job_failed":
      return ended("failed");
    case "job_timeout":
      return ended("timeout");
    default:
      return none;
  }
}

const ended = (reason: string): readonly Measurement[] => [
  { metric: "sluice_frontier_ended_jobs_total", value: 1, labels: { reason } },
];
