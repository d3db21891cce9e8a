import type { Due, Link, Outcome } from "@sluice/records";
import { canonicalize } from "@sluice/web";

/** What a fetcher answers to a release: settled and fine, but for the fields that are given. */
export function answerTo(due: Due, fields: Partial<Outcome> = {}): Outcome {
  return {
    releaseId: due.releaseId,
    job: due.job,
    run: due.run,
    urlId: due.urlId,
    attempt: due.attempt,
    by: "fetcher",
    kind: "settled",
    category: "ok",
    ok: true,
    dueAtMs: null,
    linkRecords: 0,
    links: 0,
    requests: 1,
    endedAtMs: null,
    latencyMs: null,
    retryAfterMs: null,
    crawlDelayMs: null,
    breakerUntilMs: null,
    detail: null,
    ...fields,
  };
}

/** The record of links that a page leads to, all on one domain, with that domain. */
export function linksTo(
  job: string,
  urls: readonly string[],
  depth = 1,
): { readonly domain: string; readonly link: Link } {
  const first = canonicalize(urls[0] ?? "");
  if (first.kind === "refused") throw new Error(first.detail);
  const found = { job, run: 1, kind: "link" as const, parent: null, depth, root: urls[0] ?? null };
  return { domain: first.domain, link: { ...found, redirects: 0, urls: [...urls] } };
}
