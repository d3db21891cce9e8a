/** What can be probed, in one table that the help prints. */

export const probeKinds = {
  robots: "{robots, agent, url} -> {allowed, line, rule, crawl_delay_ms}",
  canonical:
    "{url[, base, sort_query, drop_params, drop_tracking, drop_session_ids]} -> {canonical, url_id, host, registrable_domain, trap, suspicion}, or null with {reason, detail}",
  links:
    "{html_base64, url[, content_type]} -> {links: [{url, text, nofollow, kind, rel}], title, canonical, base, robots, ...}",
  encoding: "{html_base64[, content_type]} -> {encoding}",
  address: "{address} or {url} -> {allowed, reason[, addresses]}",
  sitemap: "{body_base64, url[, content_type]} -> {urls, sitemaps, hints, kind, refused, truncated}",
  fetch:
    "{url} -> the fetch explained: robots, addresses, status, headers, timings, what was read; asks the host",
} as const;

export type ProbeKind = keyof typeof probeKinds;

export const probeKindNames = Object.keys(probeKinds) as readonly ProbeKind[];
