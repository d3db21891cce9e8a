import type { SimClock } from "@sluice/broker/memory";
import type { FetchCall, FetchOutcome } from "../../services/fetcher/src/calls.ts";
import { readPage } from "../../services/fetcher/src/core/page-links.ts";
import type { Page } from "../fleet/origin.ts";

/** One request as the simulated server sees it. */
export interface Visit {
  readonly host: string;
  readonly url: string;
  readonly startMs: number;
  endMs: number;
}

/** A simulated web: answers come after a latency of simulated time; every request is logged at the server. */
export class SimulatedWeb {
  readonly log: Visit[] = [];
  readonly #site: (host: string, path: string) => Page;
  readonly #latencyMs: (url: string) => number;
  readonly #serverClock: SimClock;

  constructor(
    serverClock: SimClock,
    site: (host: string, path: string) => Page,
    latencyMs: (url: string) => number,
  ) {
    this.#serverClock = serverClock;
    this.#site = site;
    this.#latencyMs = latencyMs;
  }

  /** What a fetcher's calls do. With the clock of its process, so that a killed one hears no answer. */
  fetch(clock: SimClock, call: FetchCall, signal: AbortSignal): Promise<FetchOutcome> {
    const { hostname, pathname } = new URL(call.url);
    const visit: Visit = {
      host: hostname,
      url: call.url,
      startMs: clock.nowMs(),
      endMs: Number.POSITIVE_INFINITY,
    };
    const breaker = { state: "closed", retryAtMs: null } as const;
    if (signal.aborted) {
      return Promise.resolve({
        kind: "page",
        answer: failed("cancelled"),
        content: null,
        retryAfterMs: null,
        breaker,
      });
    }
    this.log.push(visit);
    const answeredAtMs = visit.startMs + this.#latencyMs(call.url);
    // The server answers by its own time, also a process that is frozen or gone by then.
    this.#serverClock.setTimer(answeredAtMs, () => {
      visit.endMs = Math.min(visit.endMs, answeredAtMs);
    });
    return new Promise((resolve) => {
      const cancel = clock.setTimer(answeredAtMs, () => {
        const { status = 200, headers = {}, body = "" } = this.#site(hostname, pathname);
        const bytes = new TextEncoder().encode(body);
        if (call.kind === "robots") {
          resolve({
            kind: "robots",
            answer: {
              kind: "response",
              status,
              location: headers["location"] ?? null,
              body: bytes,
              retryAfterMs: null,
            },
            breaker,
          });
          return;
        }
        const all = { "content-type": "text/html; charset=utf-8", ...headers };
        resolve({
          kind: "page",
          answer: {
            kind: "response",
            status,
            headers: all,
            setCookies: [],
            truncated: false,
            bodySkipped: false,
            bodyBytes: bytes.length,
            wireBytes: bytes.length,
            remoteAddress: hostname,
            ttfbMs: answeredAtMs - visit.startMs,
            durationMs: answeredAtMs - visit.startMs,
            location: headers["location"] ?? null,
            httpVersion: "1.1",
          },
          content: status < 300 ? readPage(call.url, all, bytes) : null,
          retryAfterMs: null,
          breaker,
        });
      });
      signal.addEventListener("abort", () => {
        cancel();
        visit.endMs = Math.min(visit.endMs, clock.nowMs());
        resolve({
          kind: call.kind,
          answer: failed("cancelled"),
          content: null,
          retryAfterMs: null,
          breaker,
        } as FetchOutcome);
      });
    });
  }

  /** The process that asked is dead: its connections end. */
  disconnect(since: readonly Visit[], nowMs: number): void {
    for (const visit of since) visit.endMs = Math.min(visit.endMs, nowMs);
  }
}

const failed = (category: "cancelled") =>
  ({
    kind: "failed",
    category,
    code: "ABORT_ERR",
    message: "aborted",
    requestSent: true,
    durationMs: 0,
  }) as const;
