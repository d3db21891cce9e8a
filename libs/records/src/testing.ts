/** Records as other services would write them, for tests. */
import type { Due } from "./due.ts";
import type { Outcome } from "./outcome.ts";

/** What a fetcher answers to a release or a permit: settled and fine, but for the fields that are given. */
export function answerTo(
  { releaseId, job, run, urlId, attempt }: Pick<Due, "releaseId" | "job" | "run" | "urlId" | "attempt">,
  fields: Partial<Outcome> = {},
): Outcome {
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
    endedAtMs: null,
    latencyMs: null,
    retryAfterMs: null,
    crawlDelayMs: null,
    breakerUntilMs: null,
    detail: null,
    ...fields,
  };
}
