/** What one fetch is asked to do, and everything it can answer. */
import type { FetchFailure } from "@sluice/records";
import type { Credential } from "./request-header.ts";
import type { Route } from "./route.ts";

/** One GET. All times in milliseconds and above zero, all sizes in bytes. */
export interface FetchRequest {
  /** Absolute, `http:` or `https:`; user name and password in it are never sent. */
  readonly url: string;
  /** Added to, or in place of, the client's own; those that frame the message or carry credentials are left out. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Each is sent only where the URL has its origin. */
  readonly credentials?: readonly Credential[];
  /** By which way; by default the client's own. */
  readonly route?: Route;
  /** For name resolution, TCP and TLS together. */
  readonly connectTimeoutMs: number;
  /** From the request sent to the end of the response's header. */
  readonly headersTimeoutMs: number;
  /** Longest pause between two pieces of the body. */
  readonly bodyTimeoutMs: number;
  /** For everything, decoding too: what ends a body that comes one byte a second. */
  readonly totalTimeoutMs: number;
  /** Of the body with its content codings removed. */
  readonly bodyBytesMax: number;
  readonly onTooLarge: "truncate" | "refuse";
  /** Where it answers false the body is not read. */
  readonly acceptTypes?: (contentType: string | null) => boolean;
}

/** A response with a complete header, whatever its status; redirects are answers, never followed. */
export interface FetchResponse {
  readonly kind: "response";
  readonly status: number;
  /**
   * Names in lower case, repeated fields joined with `, ` (RFC 9110 §5.3); without a prototype. The lines of X-Robots-Tag
   * stay lines: a crawler's name counts for what follows it in its own.
   */
  readonly headers: Readonly<Record<string, string>>;
  /** The one field that can't be joined (RFC 6265 §3). */
  readonly setCookies: readonly string[];
  /** Decoded, at most `bodyBytesMax` long, in an ArrayBuffer of its own (so it may be transferred). */
  readonly body: Uint8Array<ArrayBuffer>;
  /** The body is a prefix: it met the limit, or its coding ended early. */
  readonly truncated: boolean;
  /** `acceptTypes` said no: `body` is empty and says nothing. */
  readonly bodySkipped: boolean;
  /** Length of `body`. */
  readonly bodyBytes: number;
  /** Bytes of the body as they came, transfer coding removed, content codings not. */
  readonly wireBytes: number;
  readonly remoteAddress: string;
  /** From the request sent to the first byte of the answer: the host's own latency, without that of this process. */
  readonly ttfbMs: number;
  /** From the call to this answer. */
  readonly durationMs: number;
  /** The `Location` field as sent, not resolved. */
  readonly location: string | null;
  /** Of the request; HTTP/2 is never offered. */
  readonly httpVersion: "1.1";
}

/** No usable response. */
export interface FetchFailed {
  readonly kind: "failed";
  readonly category: FetchFailure;
  /** The code of what failed underneath: `ENOTFOUND`, `UND_ERR_SOCKET`, `HPE_INVALID_CONSTANT`, … */
  readonly code: string;
  readonly message: string;
  /** The request left this machine, so the host may have seen it. */
  readonly requestSent: boolean;
  readonly durationMs: number;
}

export type FetchAnswer = FetchResponse | FetchFailed;
