import type { Breakers, FetchRequest } from "@sluice/http";
import type { PerformCall } from "@sluice/runtime";
import { retryAfterMs, robotsBytesMax } from "@sluice/web";
import type { FetchCall, FetchOutcome } from "./calls.ts";
import { readPage } from "./core/page-links.ts";
import { extractFrom } from "./extraction.ts";

const empty = new Uint8Array();

/** Makes the fetcher's requests: through the breaker of the domain, the guard of addresses, and the limits. */
export function performFetches(
  breakers: Breakers,
  nowMs: () => number,
): PerformCall<FetchCall, FetchOutcome> {
  return async (call, signal) => {
    const { answer, breaker } = await breakers.fetch(call.domain, requestOf(call), signal);
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
    const { body, ...headed } = answer;
    const isPage = answer.status >= 200 && answer.status < 300;
    const read = isPage ? readPage(call.url, answer.headers, body) : null;
    const content =
      read === null || call.selectors === undefined
        ? read
        : { ...read, ...(await extractFrom(body, read.contentType, call.selectors, nowMs)) };
    return { kind: "page", answer: headed, content, retryAfterMs: wait, breaker };
  };
}

function requestOf(call: FetchCall): FetchRequest {
  const { totalTimeoutMs } = call;
  return {
    url: call.url,
    connectTimeoutMs: Math.min(10_000, totalTimeoutMs),
    headersTimeoutMs: totalTimeoutMs,
    bodyTimeoutMs: Math.min(15_000, totalTimeoutMs),
    totalTimeoutMs,
    bodyBytesMax: call.kind === "robots" ? robotsBytesMax : call.bodyBytesMax,
    onTooLarge: "truncate",
  };
}
