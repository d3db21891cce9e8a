import type { Gauges, Measurement } from "@sluice/process";
import type { HttpClient } from "@sluice/http";
import { topics } from "@sluice/records";
import type { StepContext } from "@sluice/topology";
import type { Host } from "./core/host.ts";
import type { FetcherState } from "./core/hosts.ts";
import { isAskingRobots } from "./core/robots.ts";
import { knownJob } from "./core/jobs.ts";
import { keepingOf, startOf } from "./core/politeness.ts";
import { originOf } from "./core/url-parts.ts";
import { defaultFetcherOptions, type FetcherOptions } from "./options.ts";

const reasons = ["ready", "politeness", "hold", "busy"] as const;
type Reason = (typeof reasons)[number];

type BreakerState = "closed" | "open" | "half_open";

/** The circuit breakers of the process. */
interface CountedBreakers {
  readonly limit: number;
  counts(): Readonly<Record<BreakerState, number>>;
}

type CountedClient = Pick<HttpClient, "bodies" | "connections" | "dns">;

/** What the fetcher's tasks hold. Costs as much as there are hosts. */
export function gaugeFetcher(
  breakers: CountedBreakers,
  client: CountedClient,
  reader: { readonly load: { readonly reading: number; readonly waiting: number } },
  options: FetcherOptions = defaultFetcherOptions,
): Gauges<FetcherState> {
  return (tasks, nowMs) => {
    const running = { page: 0, robots: 0, sitemap: 0 };
    const held: Record<Reason, number> = { ready: 0, politeness: 0, hold: 0, busy: 0 };
    let hosts = 0;
    let robotsEntries = 0;
    let sitemaps = 0;
    for (const { state, context } of tasks) {
      hosts += state.hosts.size;
      sitemaps += state.sitemaps.size;
      for (const host of state.hosts.values()) {
        robotsEntries += host.robots.size;
        for (const { kind } of host.running.values()) running[kind] += 1;
        const { reason, first } = heldBy(host, context, nowMs);
        held[reason] += first;
        held.busy += host.queue.length - first;
      }
    }
    const found: Measurement[] = [
      { metric: "sluice_fetcher_hosts", value: hosts },
      { metric: "sluice_fetcher_hosts_limit", value: options.hostsMax * tasks.length },
      { metric: "sluice_fetcher_robots_entries", value: robotsEntries },
      { metric: "sluice_fetcher_sitemap_calls", value: sitemaps },
      { metric: "sluice_fetcher_sitemap_calls_limit", value: options.sitemapsAtOnce * tasks.length },
      { metric: "sluice_fetcher_breakers_limit", value: breakers.limit },
      {
        metric: "sluice_runtime_lag_records",
        value: held.politeness + held.hold + held.busy,
        labels: { topic: topics.permits.name, state: "held" },
      },
    ];
    for (const state of ["reading", "waiting"] as const)
      found.push({ metric: "sluice_fetcher_reader_calls", value: reader.load[state], labels: { state } });
    found.push(...gaugeClient(client));
    for (const kind of ["page", "robots", "sitemap"] as const)
      found.push({ metric: "sluice_fetcher_running_requests", value: running[kind], labels: { kind } });
    for (const [state, value] of Object.entries(breakers.counts()))
      found.push({ metric: "sluice_fetcher_breakers", value, labels: { state } });
    for (const reason of reasons)
      found.push({ metric: "sluice_fetcher_held_permits", value: held[reason], labels: { reason } });
    return found;
  };
}

/** Connections and names of the process's HTTP client. */
function gaugeClient({ bodies, connections, dns }: CountedClient): Measurement[] {
  return [
    { metric: "sluice_fetcher_busy_connections", value: connections.busy },
    { metric: "sluice_fetcher_idle_connections", value: connections.idle },
    { metric: "sluice_fetcher_idle_connections_limit", value: connections.idleMax },
    { metric: "sluice_fetcher_body_memory_bytes", value: bodies.bytes },
    { metric: "sluice_fetcher_body_memory_bytes_limit", value: bodies.bytesMax },
    { metric: "sluice_fetcher_dns_entries", value: dns.entries },
    { metric: "sluice_fetcher_dns_entries_limit", value: dns.entriesMax },
  ];
}

/** What holds the first permits of a host, and how many it holds; those behind them wait for the host. */
function heldBy(
  host: Host,
  context: StepContext,
  nowMs: number,
): { readonly reason: Reason; readonly first: number } {
  const [head] = host.queue;
  if (head === undefined) return { reason: "busy", first: 0 };
  const all = host.queue.length;
  if (host.holdUntilMs > nowMs || knownJob(context, head.permit) === null)
    return { reason: "hold", first: all };
  const free = keepingOf(host, head, context).concurrency - host.running.size;
  if (free <= 0 || isAskingRobots(host, originOf(head.permit.url))) return { reason: "busy", first: all };
  const { atMs } = startOf(host, head, context);
  if (atMs === Infinity) return { reason: "busy", first: all };
  if (atMs > nowMs) return { reason: "politeness", first: all };
  return { reason: "ready", first: Math.min(all, free) };
}
