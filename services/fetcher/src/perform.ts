import { crawlRequest, type Breakers } from "@sluice/http";
import type { PerformCall } from "@sluice/runtime";
import { readPage, retryAfterMs, robotsBytesMax } from "@sluice/web";
import type { FetchCall, FetchOutcome, PageContent } from "./calls.ts";
import { extractFrom } from "./extraction.ts";
import type { RequestAudit } from "./request-audit.ts";

const empty = new Uint8Array();

/** Makes the fetcher's requests: through the breaker of the domain, the guard of addresses, and the limits. */
export function performFetches(
  breakers: Breakers,
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
    const { body, ...headed } = answer;
    const isPage = answer.status >= 200 && answer.status < 300;
    const content = isPage ? await contentOf(call, answer.headers, body, nowMs) : null;
    return { kind: "page", answer: headed, content, retryAfterMs: wait, breaker };
  };
}

async function contentOf(
  call: Extract<FetchCall, { kind: "page" }>,
  headers: Readonly<Record<string, string>>,
  body: Uint8Array,
  nowMs: () => number,
): Promise<PageContent> {
  const facts = readPage(call.url, headers, body);
  if (call.selectors === undefined) return { ...facts, extractedJson: null, extractionNote: null };
  return { ...facts, ...(await extractFrom(body, facts.contentType, call.selectors, nowMs)) };
}
