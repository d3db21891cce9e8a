/** By which way a request leaves this machine, and what its connection is held to. */

/** A forward proxy (RFC 9110 §3.7). */
export interface Proxy {
  /** `http://host:port` or `https://host:port`, as `URL.origin` writes it. */
  readonly origin: string;
  /** The operator vouches for its address, which may be private; any other proxy is vetted like a host. */
  readonly trusted: boolean;
  /** Value of Proxy-Authorization. Never sent to a host. */
  readonly authorization?: string;
}

export interface Route {
  /** The address of this machine to connect from. */
  readonly localAddress?: string;
  readonly proxy?: Proxy;
  /** False: any certificate is taken. Default true. */
  readonly verifiesTls?: boolean;
}

export const directRoute: Route = {};

/** Connections are shared by requests of one key alone: another way out, or another trust, is another connection. */
export function routeKey({ localAddress, proxy, verifiesTls = true }: Route): string {
  const fields = [
    localAddress,
    proxy?.origin,
    proxy?.trusted,
    proxy?.authorization,
    verifiesTls ? "" : "unverified",
  ];
  return fields.some((field) => field !== undefined && field !== "") ? JSON.stringify(fields) : "";
}

export interface RouteSettings {
  /** Empty: the system chooses. */
  readonly localAddress: string;
  /** `http://user:password@host:port`; empty: none. The operator vouches for it. */
  readonly proxy: string;
}

/** The way out as settings write it. */
export function routeOf({ localAddress, proxy }: RouteSettings): Route {
  const url = proxy === "" ? null : new URL(proxy);
  return {
    ...(localAddress === "" ? {} : { localAddress }),
    ...(url === null ? {} : { proxy: { ...proxyOf(url), trusted: true } }),
  };
}

function proxyOf({ origin, username, password }: URL): Omit<Proxy, "trusted"> {
  if (username === "" && password === "") return { origin };
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { origin, authorization: basicValue(pair) };
}

/** Value of a field for basic authentication (RFC 7617) of `user:password`. */
export const basicValue = (pair: string): string => `Basic ${Buffer.from(pair, "utf8").toString("base64")}`;
