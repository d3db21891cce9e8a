import type { Due, Outcome } from "@sluice/records";
import { answerTo } from "@sluice/records/testing";

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

/** What a fetcher says of a permit whose page was had at an instant, but for the fields that are given. */
export const answeredAt = (
  permit: Parameters<typeof answerTo>[0],
  endedAtMs: number,
  fields: Partial<Outcome> = {},
): Outcome => answerTo(permit, { endedAtMs, ...fields });
