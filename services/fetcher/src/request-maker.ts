/** What a call becomes on the wire: deadlines, limits, header fields, credentials and the way out. */
import {
  basicValue,
  crawlRequest,
  type Credential,
  type FetchRequest,
  type Proxy,
  type Route,
} from "@sluice/http";
import type { HostPolicy, SecretRef } from "@sluice/records";
import { parseContentType, robotsBytesMax, sitemapBytesMax } from "@sluice/web";
import type { FetchCall } from "./calls.ts";
import type { Secret, SecretProblem, SecretStore } from "./secrets.ts";

export type Made =
  | { readonly kind: "request"; readonly request: FetchRequest; readonly egress: string | null }
  /** A secret that is named can't be used. */
  | { readonly kind: "refused"; readonly reason: string };

export interface RequestMakerOptions {
  readonly secrets: SecretStore;
  /** The way of hosts for which nothing else is said. */
  readonly route: Route;
  /** Origins of proxies that policies may name although their addresses are private. */
  readonly trustedProxies: readonly string[];
}

/** A secret that is named and can't be used: without it no request is made. */
class UnusableSecret extends Error {}

export class RequestMaker {
  readonly #options: RequestMakerOptions;

  constructor(options: RequestMakerOptions) {
    this.#options = options;
  }

  make(call: FetchCall): Made {
    try {
      const route = this.#routeOf(call.policy);
      return { kind: "request", egress: egressOf(route), request: { ...this.#requestOf(call), route } };
    } catch (error) {
      if (error instanceof UnusableSecret) return { kind: "refused", reason: error.message };
      throw error;
    }
  }

  #requestOf(call: FetchCall): FetchRequest {
    const { policy, url } = call;
    const job = call.kind === "robots" ? null : call.fetch;
    const bodyBytesMax = {
      robots: robotsBytesMax,
      sitemap: sitemapBytesMax,
      page: job?.bodyBytesMax ?? robotsBytesMax,
    };
    const { connectMs, headersMs, bodyMs, totalMs } = policy.timeouts ?? {};
    const totalTimeoutMs =
      totalMs ?? (call.kind === "robots" ? call.totalTimeoutMs : call.fetch.totalTimeoutMs);
    const plain = crawlRequest(url, totalTimeoutMs, bodyBytesMax[call.kind]);
    const page = call.kind === "page" ? call.fetch : null;
    const credentials = [
      ...(call.kind === "robots" ? call.secrets : call.fetch.secrets).flatMap((name) => this.#ofJob(name)),
      ...this.#ofPolicy(policy, url),
    ];
    const headers = { ...job?.headers, ...plainFields(policy) };
    return {
      ...plain,
      connectTimeoutMs: connectMs ?? plain.connectTimeoutMs,
      headersTimeoutMs: headersMs ?? plain.headersTimeoutMs,
      bodyTimeoutMs: bodyMs ?? plain.bodyTimeoutMs,
      onTooLarge: page?.onTooLarge ?? "truncate",
      ...(page !== null && page.contentTypes.length > 0
        ? { acceptTypes: acceptorOf(page.contentTypes) }
        : {}),
      ...(Object.keys(headers).length === 0 ? {} : { headers }),
      ...(credentials.length === 0 ? {} : { credentials }),
    };
  }

  /** A secret of a job goes where it is bound to: whoever writes jobs must not choose that. */
  #ofJob(name: string): readonly Credential[] {
    const secret = usable(this.#options.secrets.named(name));
    if (secret.kind === "bound") return secret.origins.map((origin) => ({ ...secret, origin }));
    throw new UnusableSecret(`secret ${JSON.stringify(name)} is not bound to origins`);
  }

  /** Fields of a policy whose values are secrets. One that is bound to nothing goes by verified TLS alone. */
  #ofPolicy({ headers = {}, tls }: HostPolicy, url: string): readonly Credential[] {
    return Object.entries(headers).flatMap(([name, value]): Credential[] => {
      if (typeof value === "string") return [];
      const secret = usable(this.#resolve(value));
      const field = name.toLowerCase();
      if (secret.kind === "bound")
        return secret.origins.map((origin) => ({ origin, field, value: secret.value }));
      const host = URL.parse(url)?.hostname;
      return host === undefined || tls?.verify === false
        ? []
        : [{ origin: `https://${host}`, field, value: secret.text }];
    });
  }

  #routeOf({ proxy, localAddress, tls }: HostPolicy): Route {
    const { route } = this.#options;
    const { proxy: _proxy, localAddress: _localAddress, ...rest } = route;
    const way = proxy === undefined ? route.proxy : proxy === null ? undefined : this.#proxyOf(proxy);
    const address = localAddress === undefined ? route.localAddress : (localAddress ?? undefined);
    return {
      ...rest,
      ...(way === undefined ? {} : { proxy: way }),
      ...(address === undefined ? {} : { localAddress: address }),
      ...(tls === undefined ? {} : { verifiesTls: tls.verify }),
    };
  }

  /** Credentials that are bound to nothing go to a proxy that a setting names, and to no other. */
  #proxyOf({ url, credentials }: NonNullable<HostPolicy["proxy"]>): Proxy {
    const { origin } = new URL(url);
    const trusted = this.#options.trustedProxies.includes(origin);
    if (credentials === undefined) return { origin, trusted };
    const secret = usable(this.#resolve(credentials));
    if (secret.kind === "bound" ? !secret.origins.includes(origin) : !trusted)
      throw new UnusableSecret(`the secret of the proxy ${origin} is not bound to it`);
    const authorization = secret.kind === "bound" ? secret.value : basicValue(secret.text);
    return { origin, trusted, authorization };
  }

  #resolve(ref: SecretRef): Secret | SecretProblem {
    const { secrets } = this.#options;
    return "env" in ref ? secrets.variable(ref.env) : secrets.file(ref.file);
  }
}

function usable(found: Secret | SecretProblem): Secret {
  if (found.kind === "problem") throw new UnusableSecret(found.reason);
  return found;
}

/** Those of a policy that are no secret. */
function plainFields({ headers = {}, userAgent }: HostPolicy): Readonly<Record<string, string>> {
  const plain = Object.entries(headers).filter(
    (field): field is [string, string] => typeof field[1] === "string",
  );
  return { ...Object.fromEntries(plain), ...(userAgent === undefined ? {} : { "user-agent": userAgent }) };
}

/** What results tell of the way out: never a proxy's credentials. */
export function egressOf({ localAddress, proxy }: Route): string | null {
  if (proxy !== undefined) return `proxy ${proxy.origin}`;
  return localAddress ?? null;
}

/** A response without a type is taken for the type of unknown bytes (RFC 9110 §8.3). */
function acceptorOf(ranges: readonly string[]): (contentType: string | null) => boolean {
  const exact = new Set(ranges);
  return (contentType) => {
    const essence = parseContentType(contentType)?.essence ?? "application/octet-stream";
    return exact.has(essence) || exact.has(`${essence.slice(0, essence.indexOf("/"))}/*`);
  };
}
