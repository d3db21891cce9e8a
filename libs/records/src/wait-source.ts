/**
 * What may make a host wait for its next request; the longest of them counts. `delay`: the job's or the policy's;
 * `crawl_delay`: robots.txt; `latency`: the host's own pace; `cap`: a limit per minute; `takeover`: nothing is known
 * of the time before; the others hold the host until an instant.
 */
export const waitSources = [
  "delay",
  "crawl_delay",
  "latency",
  "cap",
  "retry_after",
  "back_off",
  "breaker",
  "takeover",
] as const;
export type WaitSource = (typeof waitSources)[number];
