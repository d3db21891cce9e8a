export type { FetchAnswer, FetchFailed, FetchRequest, FetchResponse } from "./fetch-answer.ts";
export { createHttpClient } from "./fetch-page.ts";
export type { HttpClient, HttpClientOptions } from "./fetch-page.ts";
export { addressBlocks, crawlRequest, createCrawlerClient, defaultUserAgent } from "./crawler-client.ts";
export type { CrawlerClientSettings, OnAddress } from "./crawler-client.ts";
export type { ResolveHost } from "./dns-cache.ts";
export { hostResolver } from "./host-resolver.ts";
export type { HostResolverOptions } from "./host-resolver.ts";
export type { IsAllowed } from "./guarded-connect.ts";
export type { Credential } from "./request-header.ts";
export { basicValue, directRoute, routeOf, type Proxy, type Route } from "./route.ts";
export {
  attemptsMaxDefault,
  categoryOf,
  retryDelayMs,
  retryRuleOf,
  retryRules,
  shouldRetry,
} from "./retry-policy.ts";
export type { RetryRule } from "./retry-policy.ts";
export { Breakers } from "./breakers.ts";
export type {
  BreakerOpen,
  BreakerOptions,
  BreakerReport,
  BreakerState,
  GuardedAnswer,
} from "./domain-breaker.ts";
export { unpacked, unpackedAtOnce } from "./unpacked.ts";
