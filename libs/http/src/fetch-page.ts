/** The HTTP client of the crawler: every outbound request goes through `fetch` here. */
import type { FetchFailure } from "@sluice/records";
import { BodyBudget } from "./body-budget.ts";
import { Exchange } from "./exchange.ts";
import type { FetchAnswer, FetchRequest } from "./fetch-answer.ts";
import { GuardedDispatcher } from "./guarded-dispatcher.ts";
import type { GuardedDispatcherOptions } from "./guarded-dispatcher.ts";
import { OwnLateness } from "./own-lateness.ts";
import { requestHeader } from "./request-header.ts";
import type { RequestHeaderOptions } from "./request-header.ts";
import { directRoute } from "./route.ts";
import type { Route } from "./route.ts";

export interface HttpClientOptions extends GuardedDispatcherOptions, RequestHeaderOptions {
  /** The way of requests that name none. */
  readonly route?: Route;
  /** Memory of all bodies under way; above it those that come slowly are given up. */
  readonly bodiesBytesMax?: number;
}

export interface HttpClient extends AsyncDisposable {
  /**
   * One GET. Never rejects for what a host, a network or the caller's signal can do: that is
   * an answer of kind `failed`. Redirects are answered, not followed. A body that is cut,
   * refused or skipped closes its connection.
   */
  fetch(request: FetchRequest, signal: AbortSignal): Promise<FetchAnswer>;
  /** Takes no new requests and waits for those under way. */
  close(): Promise<void>;
  /** Ends requests under way as `cancelled`, closes every socket. */
  destroy(): Promise<void>;
  /** For gauges: connections in use, and kept alive for the next request. */
  readonly connections: { readonly busy: number; readonly idle: number; readonly idleMax: number };
  /** For gauges: memory of bodies under way. */
  readonly bodies: { readonly bytes: number; readonly bytesMax: number };
  /** For gauges: names whose addresses are remembered. */
  readonly dns: { readonly entries: number; readonly entriesMax: number };
}

export function createHttpClient(options: HttpClientOptions): HttpClient {
  const dispatcher = new GuardedDispatcher(options);
  const budget = new BodyBudget(options.bodiesBytesMax ?? 268_435_456);
  const monotonicMs = options.monotonicMs ?? (() => performance.now());
  const lateness = new OwnLateness(monotonicMs);
  const plainHeader = requestHeader(options);

  const destroy = (): Promise<void> => {
    lateness.close();
    return dispatcher.destroy();
  };

  return {
    fetch(request, signal) {
      const startedAtMs = monotonicMs();
      const refuse = (category: FetchFailure, code: string, message: string): Promise<FetchAnswer> => {
        const durationMs = monotonicMs() - startedAtMs;
        return Promise.resolve({ kind: "failed", category, code, message, requestSent: false, durationMs });
      };
      const url = URL.parse(request.url);
      if (url === null) return refuse("unknown", "ERR_INVALID_URL", "not an absolute URL");
      if (url.protocol !== "http:" && url.protocol !== "https:") {
        return refuse("protocol", "UNSUPPORTED_SCHEME", `${url.protocol} is neither http: nor https:`);
      }
      if (signal.aborted)
        return refuse("cancelled", "ABORT_ERR", "the caller aborted before the fetch began");
      if (dispatcher.closed) return refuse("cancelled", "UND_ERR_CLOSED", "the client is closed");
      const { headers, credentials, route = options.route ?? directRoute } = request;
      const header =
        headers === undefined && credentials === undefined
          ? plainHeader
          : requestHeader(options, headers, url.origin, credentials);
      return new Promise((settle) => {
        const connection = dispatcher.take(url, route);
        const giveBack = dispatcher.give.bind(dispatcher);
        new Exchange({
          request,
          url,
          header,
          signal,
          connection,
          monotonicMs,
          startedAtMs,
          lateMs: () => lateness.totalMs,
          budget,
          giveBack,
          settle,
        }).start();
      });
    },
    close() {
      lateness.close();
      return dispatcher.close();
    },
    destroy,
    get connections() {
      return { busy: dispatcher.busyCount, idle: dispatcher.idleCount, idleMax: dispatcher.idleLimit };
    },
    get bodies() {
      return { bytes: budget.bytes, bytesMax: budget.bytesMax };
    },
    get dns() {
      return dispatcher.dns;
    },
    [Symbol.asyncDispose]: destroy,
  };
}
