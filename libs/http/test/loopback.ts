/** Servers on 127.0.0.0/8 that say exactly the bytes they are told to, and clients for them. */
import { createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import { createHttpClient } from "../src/index.ts";
import type {
  FetchAnswer,
  FetchFailed,
  FetchRequest,
  FetchResponse,
  HttpClient,
  HttpClientOptions,
} from "../src/index.ts";

export interface Loopback extends AsyncDisposable {
  readonly port: number;
  readonly origin: string;
  /** TCP connections accepted so far. */
  readonly accepted: number;
  /** Sockets that are open now. */
  readonly sockets: ReadonlySet<Socket>;
  /** The heads of all requests, in order. */
  readonly requests: readonly string[];
  /** Resolves when the `count`-th accepted socket has been closed. */
  closed(count: number): Promise<void>;
}

/** `answer` is called for each complete request head. */
export async function rawServer(
  answer: (socket: Socket, head: string, index: number) => void,
  host = "127.0.0.1",
  make: (onSocket: (socket: Socket) => void) => Server = (onSocket) => createServer(onSocket),
  listenPort = 0,
): Promise<Loopback> {
  const sockets = new Set<Socket>();
  const requests: string[] = [];
  const waiting: { count: number; done: () => void }[] = [];
  let accepted = 0;
  let closed = 0;
  const server = make((socket) => {
    accepted += 1;
    sockets.add(socket);
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      for (let end = text.indexOf("\r\n\r\n"); end >= 0; end = text.indexOf("\r\n\r\n")) {
        const head = text.slice(0, end);
        text = text.slice(end + 4);
        answer(socket, head, requests.push(head) - 1);
      }
    });
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      sockets.delete(socket);
      closed += 1;
      for (const { count, done } of waiting) if (closed >= count) done();
    });
  });
  await new Promise<void>((resolve) => server.listen(listenPort, host, resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    origin: `http://${host}:${port}`,
    get accepted() {
      return accepted;
    },
    sockets,
    requests,
    closed: (count) =>
      new Promise((done) => {
        if (closed >= count) done();
        else waiting.push({ count, done });
      }),
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A complete response with a Content-Length. */
export function response(
  body: Uint8Array | string,
  fields: readonly string[] = [],
  status = "200 OK",
): Buffer {
  const bytes = Buffer.from(body);
  const head = [`HTTP/1.1 ${status}`, ...fields, `Content-Length: ${bytes.length}`, "", ""].join("\r\n");
  return Buffer.concat([Buffer.from(head, "latin1"), bytes]);
}

export function server200(body: Uint8Array | string, fields: readonly string[] = []): Promise<Loopback> {
  return rawServer((socket) => socket.write(response(body, fields)));
}

/** Everything on the loopback network may be asked, nothing else. */
export function clientFor(options: Partial<HttpClientOptions> = {}): HttpClient {
  return createHttpClient({
    userAgent: "sluice-test/1.0 (+http://sluice.test/bot)",
    isAllowed: (ip) => ({ allowed: ip.startsWith("127."), reason: "not loopback" }),
    resolveHost: () => Promise.reject(Object.assign(new Error("no such host"), { code: "ENOTFOUND" })),
    ...options,
  });
}

export function requestOf(url: string, changes: Partial<FetchRequest> = {}): FetchRequest {
  return {
    url,
    connectTimeoutMs: 30_000,
    headersTimeoutMs: 30_000,
    bodyTimeoutMs: 30_000,
    totalTimeoutMs: 30_000,
    bodyBytesMax: 1_000_000,
    onTooLarge: "truncate",
    ...changes,
  };
}

export function fetchOf(
  client: HttpClient,
  url: string,
  changes: Partial<FetchRequest> = {},
  signal: AbortSignal = new AbortController().signal,
): Promise<FetchAnswer> {
  return client.fetch(requestOf(url, changes), signal);
}

export function responded(answer: FetchAnswer): FetchResponse {
  if (answer.kind !== "response")
    throw new Error(`failed: ${answer.category} ${answer.code} ${answer.message}`);
  return answer;
}

export function failed(answer: FetchAnswer): FetchFailed {
  if (answer.kind !== "failed") throw new Error(`responded with ${answer.status}`);
  return answer;
}

export const textOf = (answer: FetchAnswer): string => Buffer.from(responded(answer).body).toString("utf8");
