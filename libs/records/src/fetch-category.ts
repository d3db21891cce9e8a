/** How a fetch may end: the values of `category` in outcomes and of `outcome` in results. */

/** No usable response, and that speaks of the way to the host: its name, its address, its connection. */
export const unreachedFailures = [
  "dns",
  "connect",
  "tls",
  "timeout_connect",
  "timeout_headers",
  "timeout_body",
  "timeout_total",
  "reset",
] as const;

/** Why no usable response came; each value is a row of the retry policy. */
export const fetchFailures = [
  ...unreachedFailures,
  "protocol",
  "too_large",
  "decode",
  "address_refused",
  "cancelled",
  "unknown",
] as const;
export type FetchFailure = (typeof fetchFailures)[number];

/** Those of a URL without a page, for which it may be asked for again. */
export const failedCategories = ["http_4xx", "http_429", "http_5xx", ...fetchFailures, "parse"] as const;
export type FailedCategory = (typeof failedCategories)[number];

export const fetchCategories = ["ok", "redirect", ...failedCategories] as const;
export type FetchCategory = (typeof fetchCategories)[number];
