import type { Due, Outcome } from "@sluice/records";

/** A URL of a host as the frontier releases it at an instant, but for the fields that are given. */
export function dueOf(host: string, releaseId: string, releasedAtMs: number, fields: Partial<Due> = {}): Due {
  return {
    releaseId,
    job: "default",
    run: 1,
    url: `https://${host}/${releaseId}`,
    urlId: releaseId,
    depth: 0,
    root: null,
    parent: null,
    redirects: 0,
    attempt: 1,
    releasedAtMs,
    leaseUntilMs: releasedAtMs + 600_000,
    ...fields,
  };
}

type Answered = Pick<Due, "releaseId" | "job" | "run" | "urlId" | "attempt">;

/** What a fetcher says of a permit whose page was had at an instant, but for the fields that are given. */
export function answerTo(permit: Answered, endedAtMs: number, fields: Partial<Outcome> = {}): Outcome {
  const { releaseId, job, run, urlId, attempt } = permit;
  return {
    releaseId,
    job,
    run,
    urlId,
    attempt,
    by: "fetcher",
    kind: "settled",
    category: "ok",
    ok: true,
    dueAtMs: null,
    linkRecords: 0,
    links: 0,
    requests: 1,
    endedAtMs,
    latencyMs: null,
    retryAfterMs: null,
    crawlDelayMs: null,
    breakerUntilMs: null,
    detail: null,
    ...fields,
  };
}
