import { crawlRequest, type Breakers, type FetchResponse } from "@sluice/http";
import type { PerformCall } from "@sluice/runtime";
import { retryAfterMs, robotsBytesMax } from "@sluice/web";
import type { FetchCall, FetchOutcome } from "./calls.ts";
import type { ReadJob } from "./reading/read-job.ts";
import type { BodyReader } from "./reading/reader.ts";
import type { RequestAudit } from "./request-audit.ts";

const empty = new Uint8Array();

/** Makes the fetcher's requests: through the breaker of the domain, the guard of addresses, and the limits. */
export function performFetches(
  breakers: Breakers,
  reader: BodyReader,
  nowMs: () => number,
  audit: RequestAudit | null = null,
): PerformCall<FetchCall, FetchOutcome> {
  return async (call, signal) => {
    const bodyBytesMax = call.kind === "robots" ? robotsBytesMax : call.bodyBytesMax;
    const request = crawlRequest(call.url, call.totalTimeoutMs, bodyBytesMax);
    audit?.expect(request, call);
    const { answer, breaker } = await breakers.fetch(
      call.domain,
      request,
      signal,
      call.forgetFailuresBeforeMs,
    );
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
      return { kind: "page", answer, content: null, retryAfterMs: null, breaker };
    const { body: _read, ...headed } = answer;
    const isPage = answer.status >= 200 && answer.status < 300;
    const content = isPage ? await reader.page(pageJob(call, answer)) : null;
    return { kind: "page", answer: headed, content, retryAfterMs: wait, breaker };
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
