/** The only place of the product that opens a socket to a crawled host. */
import { connect as connectTcp, isIP } from "node:net";
import type { LookupFunction, Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { DnsCache } from "./dns-cache.ts";
import type { ResolveHost } from "./dns-cache.ts";
import { hostResolver } from "./host-resolver.ts";

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
  /** The address of this machine to connect from. */
  readonly localAddress?: string;
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
    signal: AbortSignal,
    onPhase: (phase: ConnectPhase) => void,
  ): Promise<Socket> {
    onPhase("dns");
    const addresses = await this.#vetted(target);
    signal.throwIfAborted();
    onPhase("connect");
    const socket = this.#open(target, addresses);
    return await established(socket, target.secure, signal, onPhase);
  }

  /** The addresses that may be asked, at least one. */
  async #vetted(target: ConnectTarget): Promise<readonly [string, ...string[]]> {
    const { hostname, port } = target;
    const override = this.#options.resolve?.get(`${hostname}:${port}`);
    const found =
      override === undefined
        ? isIP(hostname) === 0
          ? await this.#dns.addresses(hostname)
          : [hostname]
        : [override];
    const verdicts = found.map((address) => ({ address, ...this.#options.isAllowed(address) }));
    const [first, ...others] = verdicts.filter((verdict) => verdict.allowed && isIP(verdict.address) !== 0);
    if (first !== undefined) return [first.address, ...others.map((verdict) => verdict.address)];
    if (verdicts.length === 0)
      throw Object.assign(new Error(`${hostname} has no address`), { code: "ENODATA" });
    const reasons = verdicts.map(({ address, reason }) => `${address} (${reason})`);
    throw new AddressRefusedError(`${hostname}: no address may be asked: ${reasons.slice(0, 4).join(", ")}`);
  }

  #open(target: ConnectTarget, addresses: readonly [string, ...string[]]): Socket {
    const { hostname, port, secure } = target;
    const { localAddress, tlsCa } = this.#options;
    const single = addresses.length === 1;
    const options = {
      // A lone address is connected to as it is; of several the socket takes the first that answers (RFC 8305).
      host: single ? addresses[0] : hostname,
      port,
      noDelay: true,
      keepAlive: true,
      ...(single ? {} : { lookup: lookupOf(addresses), autoSelectFamily: true }),
      ...(localAddress === undefined ? {} : { localAddress }),
    };
    if (!secure) return connectTcp(options);
    return connectTls({
      ...options,
      // RFC 6066 §3: no address and no final dot. An address is still what the certificate is checked against.
      servername: isIP(hostname) === 0 ? hostname.replace(/\.$/, "") : "",
      ALPNProtocols: ["http/1.1"],
      rejectUnauthorized: true,
      ...(tlsCa === undefined ? {} : { ca: typeof tlsCa === "string" ? tlsCa : [...tlsCa] }),
    });
  }
}

/** A "resolution" that can only give what has been vetted. */
function lookupOf(addresses: readonly [string, ...string[]]): LookupFunction {
  return (_hostname, options, callback) => {
    const found = addresses.map((address) => ({ address, family: isIP(address) }));
    if (options.all) callback(null, found);
    else callback(null, addresses[0], isIP(addresses[0]));
  };
}

function established(
  socket: Socket,
  secure: boolean,
  signal: AbortSignal,
  onPhase: (phase: ConnectPhase) => void,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => void socket.destroy();
    signal.addEventListener("abort", onAbort, { once: true });
    // It stays for the socket's life: an error between here and the client's own listener must not end the process.
    socket.on("error", reject);
    socket.once("close", () => {
      signal.removeEventListener("abort", onAbort);
      reject(
        Object.assign(new Error("the connection closed before it was established"), { code: "ECONNABORTED" }),
      );
    });
    if (secure) socket.once("connect", () => onPhase("tls"));
    socket.once(secure ? "secureConnect" : "connect", () => {
      signal.removeEventListener("abort", onAbort);
      onPhase("open");
      resolve(socket);
    });
  });
}
