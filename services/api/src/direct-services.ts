/** The services that a crawl needs, for a process that runs them itself: the one place that knows them all. */
import { fetcherService } from "@sluice/fetcher";
import { frontierService } from "@sluice/frontier";
import type { HostableService } from "@sluice/process";
import { rateLimitService } from "@sluice/rate-limit";
import { resultSinkService } from "@sluice/result-sink";

/**
 * Results are in the topic whoever reads them. A sink that nobody asked for would take partitions from the one
 * that others run, and write to a disk that nobody looks at.
 */
export function directServices(
  env: Readonly<Record<string, string | undefined>>,
): readonly HostableService[] {
  const hasSink = (env["SLUICE_SINK_DIR"] ?? "") !== "";
  return [frontierService, rateLimitService, fetcherService, ...(hasSink ? [resultSinkService] : [])];
}
