/** The only place of the product that opens a socket to a crawled host. */
import { connect as connectTcp, isIP } from "node:net";
import type { LookupFunction, Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { DnsCache } from "./dns-cache.ts";
import type { ResolveHost } from "./dns-cache.ts";
import { hostResolver } from "./host-resolver.ts";
import { openTunnel } from "./proxy-tunnel.ts";
import type { Proxy, Route } from "./route.ts";

/** May this address be asked, and if not, why. */
export type IsAllowed = (ip: string) => { readonly allowed: boolean; readonly reason: string };

export interface GuardOptions {
  readonly isAllowed: IsAllowed;
  /** `host:port` (host as in `URL`, IPv6 without brackets) to address, like curl's `--resolve`; vetted like any other. */
  readonly resolve?: ReadonlyMap<string, string>;
  readonly resolveHost?: ResolveHost;
  readonly dnsTtlMs?: number;
  readonly dnsFailureTtlMs?: number;
  readonly dnsEntriesMax?: number;
  readonly monotonicMs?: () => number;
  /** Certificate authorities (PEM) to trust in place of the built-in ones. */
  readonly tlsCa?: string | readonly string[];
}

/** No address of the host may be asked; nothing was sent, no connection opened. */
export class AddressRefusedError extends Error {
  override readonly name = "AddressRefusedError";
  readonly code = "ADDRESS_REFUSED";
}

/** How far a connection has come; where it fails, this says what failed. */
export type ConnectPhase = "dns" | "connect" | "tls" | "open";

export interface ConnectTarget {
  /** Name or address, IPv6 without brackets. */
  readonly hostname: string;
  readonly port: number;
  readonly secure: boolean;
}

export class GuardedConnector {
  readonly #options: GuardOptions;
  readonly #dns: DnsCache;

  constructor(options: GuardOptions) {
    this.#options = options;
    this.#dns = new DnsCache({
      resolveHost: options.resolveHost ?? hostResolver(),
      monotonicMs: options.monotonicMs ?? (() => performance.now()),
      ...(options.dnsTtlMs === undefined ? {} : { ttlMs: options.dnsTtlMs }),
      ...(options.dnsFailureTtlMs === undefined ? {} : { failureTtlMs: options.dnsFailureTtlMs }),
      ...(options.dnsEntriesMax === undefined ? {} : { entriesMax: options.dnsEntriesMax }),
    });
  }

  /**
   * Resolves once, vets, and connects to a vetted address: there is no second resolution for
   * an attacker's name server to answer differently (DNS rebinding). Rejects with the error
   * of what failed; `onPhase` says how far it came. An aborted signal ends it at once.
   */
  async connect(
    target: ConnectTarget,
    route: Route,
    signal: AbortSignal,
    onPhase: (phase: ConnectPhase) => void,
  ): Promise<Socket> {
    onPhase("dns");
    if (route.proxy !== undefined)
      return await this.#throughProxy(target, route.proxy, route, signal, onPhase);
    const addresses = await this.#vetted(target);
    signal.throwIfAborted();
    onPhase("connect");
    const plain = this.#openTcp(target, addresses, route);
    await settled(plain, "connect", signal);
    const socket = target.secure ? await this.#secure(plain, target, route, signal, onPhase) : plain;
    onPhase("open");
    return socket;
  }

  /** Names whose addresses are remembered, and most of them. */
  get dns(): { readonly entries: number; readonly entriesMax: number } {
    return { entries: this.#dns.size, entriesMax: this.#dns.limit };
  }

  /**
   * The proxy resolves the target's name, so its address can't be vetted here: what is private by its spelling is
   * refused, the rest is the proxy's to refuse.
   */
  async #throughProxy(
    target: ConnectTarget,
    proxy: Proxy,
    route: Route,
    signal: AbortSignal,
    onPhase: (phase: ConnectPhase) => void,
  ): Promise<Socket> {
    this.#refusePrivateName(target);
    const ends = targetOf(new URL(proxy.origin));
    const addresses = proxy.trusted ? await this.#resolved(ends) : await this.#vetted(ends);
    signal.throwIfAborted();
    // All that goes wrong before the target speaks is the proxy's, so no TLS failure of the target is told of it.
    onPhase("connect");
    let socket = this.#openTcp(ends, addresses, route);
    await settled(socket, "connect", signal);
    if (ends.secure) {
      // Verified whatever the route says: that is about hosts, and the proxy is given credentials.
      socket = await this.#secure(socket, ends, {}, signal, () => undefined);
    }
    if (target.secure) {
      await untilAborted(socket, signal, openTunnel(socket, target, proxy.authorization));
      socket = await this.#secure(socket, target, route, signal, onPhase);
    }
    onPhase("open");
    return socket;
  }

  #refusePrivateName(target: ConnectTarget): void {
    const { hostname, port } = target;
    const address =
      this.#options.resolve?.get(`${hostname}:${port}`) ?? (isIP(hostname) === 0 ? null : hostname);
    const verdict = address === null ? null : this.#options.isAllowed(address);
    const reason = verdict === null ? privateNameReason(hostname) : verdict.allowed ? null : verdict.reason;
    if (reason !== null)
      throw new AddressRefusedError(`${hostname}: may not be asked through a proxy: ${reason}`);
  }

  /** The addresses that may be asked, at least one. */
  async #vetted(target: ConnectTarget): Promise<readonly [string, ...string[]]> {
    const { hostname } = target;
    const found = await this.#found(target);
    const verdicts = found.map((address) => ({ address, ...this.#options.isAllowed(address) }));
    const [first, ...others] = verdicts.filter((verdict) => verdict.allowed && isIP(verdict.address) !== 0);
    if (first !== undefined) return [first.address, ...others.map((verdict) => verdict.address)];
    if (verdicts.length === 0) throw noAddress(hostname);
    const reasons = verdicts.map(({ address, reason }) => `${address} (${reason})`);
    throw new AddressRefusedError(`${hostname}: no address may be asked: ${reasons.slice(0, 4).join(", ")}`);
  }

  /** Addresses that nobody vets: of a proxy that the operator vouches for. */
  async #resolved(target: ConnectTarget): Promise<readonly [string, ...string[]]> {
    const [first, ...others] = (await this.#found(target)).filter((address) => isIP(address) !== 0);
    if (first === undefined) throw noAddress(target.hostname);
    return [first, ...others];
  }

  async #found({ hostname, port }: ConnectTarget): Promise<readonly string[]> {
    const override = this.#options.resolve?.get(`${hostname}:${port}`);
    if (override !== undefined) return [override];
    return isIP(hostname) === 0 ? await this.#dns.addresses(hostname) : [hostname];
  }

  #openTcp(target: ConnectTarget, addresses: readonly [string, ...string[]], route: Route): Socket {
    const { hostname, port } = target;
    const { localAddress } = route;
    const single = addresses.length === 1;
    return connectTcp({
      // A lone address is connected to as it is; of several the socket takes the first that answers (RFC 8305).
      host: single ? addresses[0] : hostname,
      port,
      noDelay: true,
      keepAlive: true,
      ...(single ? {} : { lookup: lookupOf(addresses), autoSelectFamily: true }),
      ...(localAddress === undefined ? {} : { localAddress }),
    });
  }

  async #secure(
    socket: Socket,
    { hostname }: ConnectTarget,
    { verifiesTls = true }: Route,
    signal: AbortSignal,
    onPhase: (phase: ConnectPhase) => void,
  ): Promise<Socket> {
    const { tlsCa } = this.#options;
    onPhase("tls");
    const secured = connectTls({
      socket,
      // RFC 6066 §3: no address and no final dot. An address is still what the certificate is checked against.
      host: hostname,
      servername: isIP(hostname) === 0 ? hostname.replace(/\.$/, "") : "",
      ALPNProtocols: ["http/1.1"],
      rejectUnauthorized: verifiesTls,
      ...(tlsCa === undefined ? {} : { ca: typeof tlsCa === "string" ? tlsCa : [...tlsCa] }),
    });
    await settled(secured, "secureConnect", signal);
    return secured;
  }
}

export function targetOf(url: URL): ConnectTarget {
  const secure = url.protocol === "https:";
  const bare = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const port = url.port === "" ? (secure ? 443 : 80) : Number(url.port);
  return { hostname: isIP(bare) === 0 ? url.hostname : bare, port, secure };
}

/** A "resolution" that can only give what has been vetted. */
function lookupOf(addresses: readonly [string, ...string[]]): LookupFunction {
  return (_hostname, options, callback) => {
    const found = addresses.map((address) => ({ address, family: isIP(address) }));
    if (options.all) callback(null, found);
    else callback(null, addresses[0], isIP(addresses[0]));
  };
}

/** Resolves with the event, rejects where the socket fails or is aborted first. */
function settled(socket: Socket, event: "connect" | "secureConnect", signal: AbortSignal): Promise<void> {
  const done = new Promise<void>((resolve, reject) => {
    // It stays for the socket's life: an error between here and the client's own listener must not end the process.
    socket.on("error", reject);
    socket.once("close", () =>
      reject(
        Object.assign(new Error("the connection closed before it was established"), { code: "ECONNABORTED" }),
      ),
    );
    socket.once(event, () => resolve());
  });
  return untilAborted(socket, signal, done);
}

/** An abort closes the socket, which ends what is waited for; so does every failure. */
async function untilAborted(socket: Socket, signal: AbortSignal, done: Promise<void>): Promise<void> {
  const onAbort = (): void => void socket.destroy();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    if (signal.aborted) socket.destroy();
    await done;
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

const noAddress = (hostname: string): Error =>
  Object.assign(new Error(`${hostname} has no address`), { code: "ENODATA" });

/** Names that can't be public: without a dot, or under a domain kept for local use (RFC 6761, RFC 6762, RFC 8375). */
function privateNameReason(hostname: string): string | null {
  const labels = hostname.toLowerCase().replace(/\.$/, "").split(".");
  if (labels.length === 1) return "a name without a dot is local";
  const last = labels.at(-1) ?? "";
  if (localDomains.has(last) || labels.slice(-2).join(".") === "home.arpa") return `.${last} is local`;
  return null;
}

const localDomains: ReadonlySet<string> = new Set([
  "localhost",
  "local",
  "internal",
  "intranet",
  "lan",
  "corp",
]);
