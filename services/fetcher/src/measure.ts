import type { Measurement } from "@sluice/process";
import { listedCode, topics, type CrawlEvent, type Outcome, type Result } from "@sluice/records";
import type { FetchCall, FetchOutcome } from "./calls.ts";

const none: readonly Measurement[] = [];

/** What a record that the fetcher has written counts for. */
export function measureFetcher(topic: string, value: unknown): readonly Measurement[] {
  switch (topic) {
    case topics.outcomes.name:
      return measureOutcome(value as Outcome);
    case topics.results.name:
      return measureResult(value as Result);
    case topics.events.name:
      return measureSitemap(value as CrawlEvent);
    default:
      return none;
  }
}

function measureSitemap(event: CrawlEvent): readonly Measurement[] {
  if (event.type !== "sitemap_read") return none;
  const outcome = event.outcome === "ok" || event.outcome === "redirect" ? event.outcome : "failed";
  const announced = event.admitted + event.sitemapsAdmitted;
  const metric = "sluice_fetcher_sitemap_urls_total";
  return [
    { metric: "sluice_fetcher_read_sitemaps_total", value: 1, labels: { outcome } },
    { metric, value: announced, labels: { fate: "announced" } },
    { metric, value: event.refused, labels: { fate: "refused" } },
  ];
}

function measureOutcome({ kind, category, links, sitemap, errand }: Outcome): readonly Measurement[] {
  // The request itself is counted.
  if (errand !== undefined) return none;
  switch (kind) {
    case "settled": {
      const settled: Measurement = {
        metric: "sluice_fetcher_fetched_urls_total",
        value: 1,
        labels: { category },
      };
      const found: Measurement = { metric: "sluice_fetcher_discovered_urls_total", value: links };
      // A sitemap is no page: its event tells of it.
      return [...(sitemap === undefined ? [settled] : []), ...(links === 0 ? [] : [found])];
    }
    case "retry":
      return [{ metric: "sluice_fetcher_retried_urls_total", value: 1, labels: { category } }];
    case "deferred":
      return [{ metric: "sluice_fetcher_deferred_urls_total", value: 1, labels: { reason: category } }];
    case "refused":
      return [{ metric: "sluice_fetcher_refused_urls_total", value: 1, labels: { reason: category } }];
    case "expired":
      return [{ metric: "sluice_fetcher_expired_urls_total", value: 1 }];
    default:
      return kind satisfies never;
  }
}

function measureResult({ body_bytes, wire_bytes }: Result): readonly Measurement[] {
  return [
    { metric: "sluice_fetcher_body_bytes_total", value: body_bytes },
    { metric: "sluice_fetcher_wire_bytes_total", value: wire_bytes },
  ];
}

/** What a request counts for, whatever becomes of its answer: the host has seen it. */
export function measureRequest({ kind }: FetchCall, { answer }: FetchOutcome): readonly Measurement[] {
  const made: Measurement = {
    metric: "sluice_fetcher_requests_total",
    value: 1,
    labels: { kind, outcome: answer.kind },
  };
  if (answer.kind === "breaker_open") return [made];
  const found = [made];
  if (answer.kind === "failed")
    found.push({
      metric: "sluice_fetcher_failed_requests_total",
      value: 1,
      labels: { code: listedCode(answer.code) },
    });
  if ("durationMs" in answer && kind !== "sitemap")
    found.push({
      metric: "sluice_fetcher_request_seconds",
      value: answer.durationMs / 1000,
      labels: { kind },
    });
  if ("ttfbMs" in answer)
    found.push({ metric: "sluice_fetcher_first_byte_seconds", value: answer.ttfbMs / 1000 });
  return found;
}
