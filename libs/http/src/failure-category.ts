/** Which kind of failure an error is. */
import { errors } from "undici";
import type { FetchFailure } from "@sluice/records";
import { AddressRefusedError } from "./guarded-connect.ts";
import type { ConnectPhase } from "./guarded-connect.ts";

const messageLengthMax = 500;

export interface Failure {
  readonly category: FetchFailure;
  readonly code: string;
  readonly message: string;
}

/** `phase` is how far the connection had come: the same code means something else before and after it stood. */
export function failureOf(error: unknown, phase: ConnectPhase): Failure {
  const code = codeOf(error);
  return { category: categoryOfError(error, code, phase), code, message: lineOf(error) };
}

function categoryOfError(error: unknown, code: string, phase: ConnectPhase): FetchFailure {
  if (error instanceof AddressRefusedError) return "address_refused";
  // The caller's own mistakes and its own end come through the same channel in any phase.
  if (code === "UND_ERR_DESTROYED" || code === "UND_ERR_CLOSED") return "cancelled";
  if (code === "UND_ERR_INVALID_ARG") return "unknown";
  switch (phase) {
    case "dns":
      return "dns";
    case "connect":
      return code === "ETIMEDOUT" ? "timeout_connect" : "connect";
    case "tls":
      return "tls";
    case "open":
      return categoryOfExchange(error, code);
  }
}

function categoryOfExchange(error: unknown, code: string): FetchFailure {
  switch (code) {
    case "UND_ERR_HEADERS_TIMEOUT":
      return "timeout_headers";
    case "UND_ERR_BODY_TIMEOUT":
      return "timeout_body";
    case "UND_ERR_HEADERS_OVERFLOW":
    // undici takes for granted what its parser lets through, such as a status of three digits below 100.
    case "ERR_ASSERTION":
      return "protocol";
    case "UND_ERR_SOCKET":
      // undici has one code for a peer that went away and for one that answers what was not asked.
      return error instanceof Error && error.message.startsWith("bad ") ? "protocol" : "reset";
    case "UND_ERR_RES_CONTENT_LENGTH_MISMATCH":
    case "ECONNRESET":
    case "ECONNABORTED":
    case "EPIPE":
    case "ETIMEDOUT":
    case "ENETDOWN":
    case "ENETUNREACH":
    case "EHOSTUNREACH":
      // The connection ended before the message did (RFC 9112 §8).
      return "reset";
    default:
      // undici's parser errors carry no code of their own, only llhttp's words.
      if (error instanceof errors.HTTPParserError)
        return error.message.includes("EOF") ? "reset" : "protocol";
      // TLS 1.3 refuses a client only after the handshake looks done.
      if (code.startsWith("ERR_SSL") || code.startsWith("ERR_TLS") || code === "EPROTO") return "tls";
      return "unknown";
  }
}

function codeOf(error: unknown): string {
  if (typeof error === "object" && error !== null && "code" in error && typeof error.code === "string") {
    return error.code;
  }
  return error instanceof Error ? error.name : "UNKNOWN";
}

function lineOf(error: unknown): string {
  const inner = error instanceof AggregateError ? (error.errors as unknown[]).map(lineOf).join("; ") : "";
  const text = inner !== "" ? inner : error instanceof Error ? error.message : String(error);
  // Hosts write into these messages: one line, no control characters, no novel.
  return text.replace(/[\p{Cc}\u2028\u2029]+/gu, " ").slice(0, messageLengthMax);
}
