/** Connections to crawled hosts: opened through the guard, kept alive a few seconds, bounded in number. */
import type { Socket } from "node:net";
import { Client } from "undici";
import type { Dispatcher } from "undici";
import { GuardedConnector, targetOf } from "./guarded-connect.ts";
import type { ConnectPhase, GuardOptions } from "./guarded-connect.ts";
import { routeKey } from "./route.ts";
import type { Route } from "./route.ts";

export interface GuardedDispatcherOptions extends GuardOptions {
  /** How long an unused connection stays open; a server's `Keep-Alive` hint can only shorten it. */
  readonly keepAliveMs?: number;
  /** Unused connections over all hosts; past it the one unused longest is closed. */
  readonly idleSocketsMax?: number;
}

/** RFC 9110 sets no limit on a header; this is Node's own. Larger ones are a `protocol` failure. */
const headerBytesMax = 16_384;

/**
 * Hands out connections, one request at a time on each. An undici Client a connection and not
 * an Agent, because an Agent can neither say which socket serves a request nor end a
 * connection attempt of one request: both are needed for the address in each answer and for
 * deadlines that free the socket at once.
 */
export class GuardedDispatcher {
  readonly #connector: GuardedConnector;
  readonly #keepAliveMs: number;
  readonly #idleSocketsMax: number;
  readonly #idle = new Map<string, Connection[]>();
  /** In the order in which they fell idle. */
  readonly #idleOrder = new Set<Connection>();
  readonly #busy = new Set<Connection>();
  readonly #allIdle = Promise.withResolvers<void>();
  #closed = false;

  constructor(options: GuardedDispatcherOptions) {
    this.#connector = new GuardedConnector(options);
    this.#keepAliveMs = options.keepAliveMs ?? 4_000;
    this.#idleSocketsMax = options.idleSocketsMax ?? 1_000;
  }

  get closed(): boolean {
    return this.#closed;
  }

  get idleCount(): number {
    return this.#idleOrder.size;
  }

  get busyCount(): number {
    return this.#busy.size;
  }

  /** Most of them. */
  get idleLimit(): number {
    return this.#idleSocketsMax;
  }

  get dns(): { readonly entries: number; readonly entriesMax: number } {
    return this.#connector.dns;
  }

  /** The caller owns the connection until it gives it back or destroys it. */
  take(url: URL, route: Route): Connection {
    const key = poolKey(url, route);
    const connection = this.#idle.get(key)?.at(-1);
    if (connection !== undefined) {
      this.#forgetIdle(connection);
      connection.watch(() => undefined);
    }
    const taken = connection ?? this.#create(url, route, key);
    this.#busy.add(taken);
    return taken;
  }

  /** Only after a complete response; every other end is a `destroy` of the connection. */
  give(connection: Connection): void {
    if (!this.#busy.delete(connection)) return;
    if (this.#closed || !connection.reusable) void connection.destroy();
    else {
      const ofKey = this.#idle.get(connection.key);
      if (ofKey === undefined) this.#idle.set(connection.key, [connection]);
      else ofKey.push(connection);
      this.#idleOrder.add(connection);
      const { bytesRead } = connection;
      // Nobody asks: whatever the host says now ends the connection, else it could go on until that is due.
      connection.watch(() => {
        if (connection.bytesRead !== bytesRead) void connection.destroy();
      });
      if (this.#idleOrder.size > this.#idleSocketsMax) {
        for (const oldest of this.#idleOrder) {
          void oldest.destroy();
          break;
        }
      }
    }
    this.#settleClose();
  }

  /** Takes no new requests, closes what is unused, waits for those under way. */
  async close(): Promise<void> {
    this.#closed = true;
    const unused = [...this.#idleOrder].map((connection) => connection.destroy());
    this.#settleClose();
    await Promise.all([...unused, this.#allIdle.promise]);
  }

  /** Ends everything now; resolves when the sockets are closed. */
  async destroy(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#idleOrder, ...this.#busy].map((connection) => connection.destroy()));
  }

  #create(url: URL, route: Route, key: string): Connection {
    const onLost = (connection: Connection, destroyed: boolean): void => {
      this.#forgetIdle(connection);
      if (destroyed) this.#busy.delete(connection);
      this.#settleClose();
    };
    return new Connection({
      url,
      route,
      key,
      connector: this.#connector,
      keepAliveMs: this.#keepAliveMs,
      onLost,
    });
  }

  #forgetIdle(connection: Connection): void {
    if (!this.#idleOrder.delete(connection)) return;
    const left = (this.#idle.get(connection.key) ?? []).filter((other) => other !== connection);
    if (left.length === 0) this.#idle.delete(connection.key);
    else this.#idle.set(connection.key, left);
  }

  #settleClose(): void {
    if (this.#closed && this.#busy.size === 0) this.#allIdle.resolve();
  }
}

const poolKey = (url: URL, route: Route): string => `${url.origin}\n${routeKey(route)}`;

interface ConnectionOptions {
  readonly url: URL;
  readonly route: Route;
  /** Requests of the same key may use it. */
  readonly key: string;
  readonly connector: GuardedConnector;
  readonly keepAliveMs: number;
  readonly onLost: (connection: Connection, destroyed: boolean) => void;
}

/** One socket to one origin by one way (opened on the first request, again if it was lost while unused). */
export class Connection {
  readonly key: string;
  readonly #client: Client;
  /** The proxy takes requests for plain `http:` as they are, with the whole URL (RFC 9112 §3.2.2). */
  readonly #forwarding: { readonly origin: string; readonly authorization: string | undefined } | null;
  readonly #abort = new AbortController();
  readonly #onLost: (connection: Connection, destroyed: boolean) => void;
  #onCame = (): void => undefined;
  #watched: Socket | undefined;
  #phase: ConnectPhase = "dns";
  #socket: Socket | undefined;
  #destroyed: Promise<void> | undefined;

  constructor({ url, route, key, connector, keepAliveMs, onLost }: ConnectionOptions) {
    this.key = key;
    this.#onLost = onLost;
    const { proxy } = route;
    this.#forwarding =
      proxy === undefined || url.protocol !== "http:"
        ? null
        : { origin: url.origin, authorization: proxy.authorization };
    const target = targetOf(url);
    this.#client = new Client(url.origin, {
      connect: (_options, callback) => {
        const onPhase = (phase: ConnectPhase): void => void (this.#phase = phase);
        const opened = (socket: Socket): void => callback(null, (this.#socket = socket));
        const failed = (error: unknown): void =>
          callback(error instanceof Error ? error : new Error(String(error)), null);
        connector.connect(target, route, this.#abort.signal, onPhase).then(opened, failed);
      },
      allowH2: false,
      pipelining: 1,
      keepAliveTimeout: keepAliveMs,
      keepAliveMaxTimeout: keepAliveMs,
      maxHeaderSize: headerBytesMax,
    });
    this.#client.on("disconnect", () => {
      // Busy ones are ended by whoever has them; unused ones by nobody but here.
      if (this.#destroyed === undefined) this.#onLost(this, false);
    });
  }

  get phase(): ConnectPhase {
    return this.#phase;
  }

  get remoteAddress(): string {
    return this.#socket?.remoteAddress ?? "";
  }

  get reusable(): boolean {
    return this.#destroyed === undefined && this.#socket !== undefined && !this.#socket.destroyed;
  }

  /** What answers is a proxy, with its own answer or with the host's. */
  get isForwarding(): boolean {
    return this.#forwarding !== null;
  }

  /** Bytes that came over the socket so far, all responses together. */
  get bytesRead(): number {
    return this.#socket?.bytesRead ?? 0;
  }

  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void {
    if (this.#forwarding === null) {
      this.#client.dispatch(options, handler);
      return;
    }
    const { origin, authorization } = this.#forwarding;
    const headers = options.headers as readonly string[];
    this.#client.dispatch(
      {
        ...options,
        path: origin + options.path,
        headers:
          authorization === undefined ? [...headers] : [...headers, "proxy-authorization", authorization],
      },
      handler,
    );
  }

  /** Called whenever something has come over the socket, in place of who was called before. */
  watch(onCame: () => void): void {
    this.#onCame = onCame;
    if (this.#watched === this.#socket) return;
    this.#watched = this.#socket;
    this.#socket?.on("readable", () => this.#onCame());
  }

  /** Closes the socket, or ends the attempt to open one, at once. Idempotent. */
  destroy(): Promise<void> {
    if (this.#destroyed === undefined) {
      this.#destroyed = this.#client.destroy();
      this.#abort.abort();
      this.#onLost(this, true);
    }
    return this.#destroyed;
  }
}
