import type { Breakers, FetchAnswer, FetchResponse } from "@sluice/http";
import type { PerformCall } from "@sluice/runtime";
import { retryAfterMs } from "@sluice/web";
import type { FetchCall, FetchOutcome } from "./calls.ts";
import type { ReadJob } from "./reading/read-job.ts";
import type { BodyReader } from "./reading/reader.ts";
import type { RequestAudit } from "./request-audit.ts";
import type { RequestMaker } from "./request-maker.ts";

const empty = new Uint8Array();

/** Makes the fetcher's requests: through the breaker of the domain, the guard of addresses, and the limits. */
export function performFetches(
  breakers: Breakers,
  requests: RequestMaker,
  reader: BodyReader,
  nowMs: () => number,
  audit: RequestAudit | null = null,
): PerformCall<FetchCall, FetchOutcome> {
  return async (call, signal) => {
    const made = requests.make(call);
    if (made.kind === "request") audit?.expect(made.request, call);
    // Without what the request needs none is made: nobody would want to know what the host says to a stranger.
    const { answer, breaker } =
      made.kind === "refused"
        ? { answer: unmade(made.reason), breaker: breakers.state(call.domain) }
        : await breakers.fetch(call.domain, made.request, signal, call.forgetFailuresBeforeMs);
    const egress = made.kind === "refused" ? null : made.egress;
    const asked = answer.kind === "response" && (answer.status === 429 || answer.status === 503);
    const wait = asked ? retryAfterMs(answer.headers["retry-after"], nowMs()) : null;
    if (call.kind === "robots") {
      return {
        kind: "robots",
        breaker,
        answer:
          answer.kind === "response"
            ? {
                kind: "response",
                status: answer.status,
                location: answer.location,
                body: answer.status < 300 ? answer.body : empty,
                retryAfterMs: wait,
              }
            : answer,
      };
    }
    if (answer.kind !== "response")
      return { kind: "page", answer, egress, content: null, retryAfterMs: null, breaker };
    const { body: _read, ...headed } = answer;
    const isPage = answer.status >= 200 && answer.status < 300;
    const base = { kind: "page", answer: headed, egress, retryAfterMs: wait, breaker } as const;
    if (call.kind === "sitemap") {
      const sitemap = isPage ? await reader.sitemap(sitemapJob(call, answer)) : null;
      return { ...base, content: null, sitemap };
    }
    const read = isPage ? await reader.page(pageJob(call, answer)) : null;
    // The hash of a body that was left unread would say that the page is empty.
    const content = read !== null && answer.bodySkipped ? { ...read, bodySha256: null } : read;
    return { ...base, content };
  };
}

function pageJob(
  { url, selectors }: Extract<FetchCall, { kind: "page" }>,
  { headers, body }: FetchResponse,
): Extract<ReadJob, { kind: "page" }> {
  // Only what is read of them: a thread gets a copy.
  const read = { "content-type": headers["content-type"], "x-robots-tag": headers["x-robots-tag"] };
  const given = Object.entries(read).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]));
  return {
    kind: "page",
    url,
    headers: Object.fromEntries(given) as Record<string, string>,
    body,
    ...(selectors === undefined ? {} : { selectors }),
  };
}

function sitemapJob(
  { url }: Extract<FetchCall, { kind: "sitemap" }>,
  { headers, body }: FetchResponse,
): Extract<ReadJob, { kind: "sitemap" }> {
  return { kind: "sitemap", url, contentType: headers["content-type"] ?? null, body };
}

const unmade = (reason: string): Extract<FetchAnswer, { kind: "failed" }> => ({
  kind: "failed",
  category: "unknown",
  code: "SECRET_UNUSABLE",
  message: reason,
  requestSent: false,
  durationMs: 0,
});
