/** One request on one connection, from its first byte to the decoded body. */
import type { FetchFailure } from "@sluice/records";
import type { Dispatcher } from "undici";
import type { BodyBudget } from "./body-budget.ts";
import { BodyBuffer } from "./body-buffer.ts";
import { BodyDecoder, hasLargeWindow, parseCodings } from "./body-decoder.ts";
import { failureOf } from "./failure-category.ts";
import type { FetchAnswer, FetchRequest } from "./fetch-answer.ts";
import type { Connection } from "./guarded-dispatcher.ts";
import { parseResponseHeader } from "./response-header.ts";
import type { ResponseHeader } from "./response-header.ts";

/** Coded bytes may be this much more than the decoded ones that they stand for. */
const codingOverheadBytes = 65_536;
/** undici limits the fields but not the status line. */
const reasonLengthMax = 1_024;
/** A header's 16 KiB and one read of the socket, which may hold body already. */
const headBytesMax = 16_384 + 65_536;
const timerMaxMs = 2_147_483_647;
/** What frames a body may be this many times the body: chunks of one byte are six bytes long (RFC 9112 §7.1). */
const framingFactor = 8;
/** And so much more: what was read of the socket and not parsed yet is there too. */
const framingSlackBytes = 1_048_576;

export interface ExchangeOptions {
  readonly request: FetchRequest;
  readonly url: URL;
  readonly header: readonly string[];
  readonly signal: AbortSignal;
  readonly connection: Connection;
  readonly monotonicMs: () => number;
  readonly startedAtMs: number;
  /** How late this process's own event loop has been so far. */
  readonly lateMs: () => number;
  readonly budget: BodyBudget;
  readonly giveBack: (connection: Connection) => void;
  readonly settle: (answer: FetchAnswer) => void;
}

/** Settles exactly once; whatever undici or a decoder says after that is ignored. */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly #options: ExchangeOptions;
  readonly #connectTimer: NodeJS.Timeout;
  readonly #totalTimer: NodeJS.Timeout;
  readonly #onAbort = (): void => this.#fail("cancelled", "ABORT_ERR", "the caller aborted the fetch");
  /** Until it is given back or destroyed. */
  #connection: Connection | undefined;
  #settled = false;
  #sentAtMs: number | undefined;
  #firstByteAtMs: number | undefined;
  #lateBeforeMs = 0;
  #lateMs = 0;
  #bytesReadBefore = 0;
  #header: ResponseHeader | undefined;
  #body: BodyBuffer | undefined;
  #decoder: BodyDecoder | undefined;
  #wireBytes = 0;
  #accountedBytes = 0;
  #remoteAddress = "";

  constructor(options: ExchangeOptions) {
    this.#options = options;
    this.#connection = options.connection;
    const { connectTimeoutMs, totalTimeoutMs } = options.request;
    this.#connectTimer = after(connectTimeoutMs, () => {
      const phase = this.#connection?.phase ?? "dns";
      this.#fail(
        "timeout_connect",
        "UND_ERR_CONNECT_TIMEOUT",
        `no connection in ${connectTimeoutMs} ms (${phase})`,
      );
    });
    this.#totalTimer = after(totalTimeoutMs, () => {
      this.#fail("timeout_total", "TOTAL_TIMEOUT", `not complete in ${totalTimeoutMs} ms`);
    });
    options.signal.addEventListener("abort", this.#onAbort, { once: true });
  }

  start(): void {
    const { url, header, request, connection } = this.#options;
    connection.dispatch(
      {
        method: "GET",
        path: url.pathname + url.search,
        headers: [...header],
        headersTimeout: clampTimer(request.headersTimeoutMs),
        bodyTimeout: clampTimer(request.bodyTimeoutMs),
      },
      this,
    );
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.#settled) return controller.abort(new Error("settled before it began"));
    clearTimeout(this.#connectTimer);
    this.#remoteAddress = this.#options.connection.remoteAddress;
    this.#bytesReadBefore = this.#options.connection.bytesRead;
    this.#options.connection.watch(() => this.#checkCame());
  }

  onRequestSent(): void {
    this.#sentAtMs = this.#options.monotonicMs();
    this.#lateBeforeMs = this.#options.lateMs();
  }

  onResponseStarted(): void {
    if (this.#firstByteAtMs !== undefined) return;
    this.#firstByteAtMs = this.#options.monotonicMs();
    this.#lateMs = this.#options.lateMs() - this.#lateBeforeMs;
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    fields: Record<string, string | string[] | undefined>,
    reason = "",
  ): void {
    if (this.#settled) return;
    const headBytes = this.#options.connection.bytesRead - this.#bytesReadBefore;
    if (reason.length > reasonLengthMax || headBytes > headBytesMax) {
      return this.#failHead();
    }
    if (status < 200) return; // RFC 9110 §15.2: interim, the real one follows.
    // Only a proxy asks for its credential (RFC 9110 §15.5.8): that says nothing of the host, least of all of its rules.
    if (status === 407 && this.#options.connection.isForwarding)
      return this.#fail("connect", "PROXY_407", "the proxy answered 407");
    const { request } = this.#options;
    const header = parseResponseHeader(status, fields);
    this.#header = header;
    if (request.acceptTypes?.(header.fields["content-type"] ?? null) === false) {
      return this.#complete({ truncated: false, bodySkipped: true });
    }
    const codings = parseCodings(header.fields["content-encoding"]);
    if (codings.kind === "too_many") {
      return this.#fail("decode", "TOO_MANY_CODINGS", `${codings.count} layers of content coding`);
    }
    const plain = codings.kind === "none";
    if (plain && request.onTooLarge === "refuse" && (header.contentLength ?? 0) > request.bodyBytesMax) {
      return this.#failTooLarge();
    }
    this.#body = new BodyBuffer(request.bodyBytesMax, {
      hint: plain ? header.contentLength : null,
      packs: codings.kind === "coded" && codings.codings.some(hasLargeWindow),
    });
    if (codings.kind === "coded") {
      this.#decoder = new BodyDecoder(codings.codings, request.bodyBytesMax + codingOverheadBytes, {
        onData: (chunk) => this.#keep(chunk),
        onEnd: (truncated) => this.#complete({ truncated, bodySkipped: false }),
        onError: (error) => this.#failWith("decode", error),
        onOverflow: () => this.#overflow(),
        onDrain: () => controller.resume(),
      });
    }
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Uint8Array): void {
    if (this.#settled) return;
    this.#wireBytes += chunk.length;
    if (this.#decoder === undefined) return this.#keep(chunk);
    if (this.#wireBytes > this.#options.request.bodyBytesMax + codingOverheadBytes) return this.#overflow();
    if (!this.#decoder.write(chunk)) controller.pause();
  }

  onResponseEnd(): void {
    if (this.#settled) return;
    // Decoding may go on for a while; the host's part is done and the connection free.
    this.#release();
    if (this.#decoder !== undefined && this.#wireBytes > 0) this.#decoder.end();
    else this.#complete({ truncated: false, bodySkipped: false });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    if (this.#settled) return;
    const { category, code, message } = failureOf(error, this.#options.connection.phase);
    this.#fail(category, code, message);
  }

  /**
   * Blank lines before the status line, its reason, extensions of a chunk and the like have no limit and give no data:
   * only the socket's count shows them.
   */
  #checkCame(): void {
    if (this.#settled || this.#connection === undefined) return;
    const came = this.#options.connection.bytesRead - this.#bytesReadBefore;
    if (this.#header === undefined) {
      if (came > headBytesMax) this.#failHead();
    } else if (came > headBytesMax + framingSlackBytes + framingFactor * this.#wireBytes)
      this.#fail("protocol", "FRAMING_TOO_LARGE", "what frames the body is far larger than the body");
  }

  #keep(chunk: Uint8Array): void {
    const body = this.#body;
    if (this.#settled || body === undefined) return;
    const whole = body.push(chunk);
    this.#account(body.heldBytes);
    if (!whole) this.#overflow();
    else if (this.#options.budget.isShortFor(this.#durationMs()))
      this.#fail("timeout_body", "MEMORY_SHORT", "the body came too slowly for the memory that is left");
  }

  /** What the body holds of the memory that all share. */
  #account(bytes: number): void {
    this.#options.budget.take(bytes - this.#accountedBytes);
    this.#accountedBytes = bytes;
  }

  #overflow(): void {
    if (this.#options.request.onTooLarge === "refuse") this.#failTooLarge();
    else this.#complete({ truncated: true, bodySkipped: false });
  }

  #failHead(): void {
    this.#fail("protocol", "HEAD_TOO_LARGE", "the head of the response is larger than any page needs");
  }

  #failTooLarge(): void {
    const { bodyBytesMax } = this.#options.request;
    this.#fail("too_large", "BODY_TOO_LARGE", `the body is larger than ${bodyBytesMax} bytes`);
  }

  #failWith(category: FetchFailure, error: Error): void {
    const { code, message } = failureOf(error, "open");
    this.#fail(category, code, message);
  }

  #fail(category: FetchFailure, code: string, message: string): void {
    if (this.#settled) return;
    const requestSent = this.#sentAtMs !== undefined;
    this.#settle({ kind: "failed", category, code, message, requestSent, durationMs: this.#durationMs() });
  }

  #complete(end: { truncated: boolean; bodySkipped: boolean }): void {
    const header = this.#header;
    if (this.#settled || header === undefined) return;
    // What it holds is as large as the body may be.
    this.#decoder?.destroy();
    const body = end.bodySkipped || this.#body === undefined ? new Uint8Array(0) : this.#body.take();
    this.#settle({
      kind: "response",
      status: header.status,
      headers: header.fields,
      setCookies: header.setCookies,
      body,
      ...end,
      bodyBytes: body.length,
      wireBytes: this.#wireBytes,
      remoteAddress: this.#remoteAddress,
      ttfbMs: this.#ttfbMs(),
      durationMs: this.#durationMs(),
      location: header.location,
      httpVersion: "1.1",
    });
  }

  #settle(answer: FetchAnswer): void {
    this.#settled = true;
    this.#account(0);
    clearTimeout(this.#connectTimer);
    clearTimeout(this.#totalTimer);
    this.#options.signal.removeEventListener("abort", this.#onAbort);
    this.#decoder?.destroy();
    // Still ours: the response was not read to its end, so nothing else can be said on this connection.
    void this.#connection?.destroy();
    this.#connection = undefined;
    this.#options.settle(answer);
  }

  #release(): void {
    const connection = this.#connection;
    this.#connection = undefined;
    if (connection !== undefined) this.#options.giveBack(connection);
  }

  #ttfbMs(): number {
    if (this.#firstByteAtMs === undefined || this.#sentAtMs === undefined) return 0;
    return Math.max(0, this.#firstByteAtMs - this.#sentAtMs - this.#lateMs);
  }

  #durationMs(): number {
    return this.#options.monotonicMs() - this.#options.startedAtMs;
  }
}

function after(delayMs: number, run: () => void): NodeJS.Timeout {
  return setTimeout(run, clampTimer(delayMs));
}

/** Above 2³¹ − 1 a Node timer fires at once; 0 would mean "never" to undici. */
function clampTimer(delayMs: number): number {
  return Math.max(1, Math.min(delayMs, timerMaxMs));
}
