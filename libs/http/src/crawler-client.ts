/** The HTTP client as settings describe it: of the fetcher, and of who wants to see what the fetcher would do. */
import { SluiceError } from "@sluice/errors";
import { classifyAddress, parseCidr, type AddressDecision, type Cidr } from "@sluice/web";
import packageJson from "../package.json" with { type: "json" };
import type { FetchRequest } from "./fetch-answer.ts";
import { createHttpClient, type HttpClient } from "./fetch-page.ts";
import { routeOf } from "./route.ts";

export interface CrawlerClientSettings {
  /** Unset: `Sluice/<version> (+contact)`. */
  readonly userAgent?: string | undefined;
  readonly contact?: string | undefined;
  /** Address blocks that may be asked although they are not public. */
  readonly allowPrivate: readonly string[];
  /** Fixed addresses, `host:port:address`. */
  readonly resolve: readonly string[];
  /** Unset: the system chooses. */
  readonly localAddress?: string;
  /** Unset: none. */
  readonly proxy?: string;
}

/** Told of every address that a name or URL led to, before anything is sent there. */
export type OnAddress = (address: string, decision: AddressDecision) => void;

/** @throws SluiceError SLUICE_CONFIG_INVALID, which names the setting */
export function createCrawlerClient(settings: CrawlerClientSettings, onAddress?: OnAddress): HttpClient {
  const allowed = addressBlocks(settings.allowPrivate);
  return createHttpClient({
    userAgent: settings.userAgent ?? defaultUserAgent(settings.contact),
    isAllowed: (address) => {
      const decision = classifyAddress(address, allowed);
      onAddress?.(address, decision);
      return decision;
    },
    resolve: resolveOverrides(settings.resolve),
    route: routeOf({ localAddress: settings.localAddress ?? "", proxy: settings.proxy ?? "" }),
  });
}

/** A request with the crawler's own deadlines; a body that is too long is cut, and its result says so. */
export function crawlRequest(url: string, totalTimeoutMs: number, bodyBytesMax: number): FetchRequest {
  return {
    url,
    connectTimeoutMs: Math.min(10_000, totalTimeoutMs),
    headersTimeoutMs: totalTimeoutMs,
    bodyTimeoutMs: Math.min(15_000, totalTimeoutMs),
    totalTimeoutMs,
    bodyBytesMax,
    onTooLarge: "truncate",
  };
}

/** `Sluice/<version> (+contact)`: tells a site owner who asks, and whom to write to. */
export function defaultUserAgent(contact: string | undefined): string {
  return `Sluice/${packageJson.version} (+${contact ?? "no contact given"})`;
}

/** @throws SluiceError SLUICE_CONFIG_INVALID */
export function addressBlocks(texts: readonly string[]): readonly Cidr[] {
  return texts.map((text) => {
    const cidr = parseCidr(text);
    if (cidr !== null) return cidr;
    throw invalid("SLUICE_FETCHER_ALLOW_PRIVATE", text, "no address block");
  });
}

/** `host:port:address`; the address may be IPv6, so only the first two colons part. */
function resolveOverrides(entries: readonly string[]): ReadonlyMap<string, string> {
  const overrides = new Map<string, string>();
  for (const entry of entries) {
    const match = /^([^:]+):([0-9]+):\[?([0-9a-fA-F.:]+)\]?$/.exec(entry);
    const [, host, port, address] = match ?? [];
    if (host === undefined || port === undefined || address === undefined)
      throw invalid("SLUICE_FETCHER_RESOLVE", entry, "not host:port:address");
    overrides.set(`${host.toLowerCase()}:${port}`, address);
  }
  return overrides;
}

function invalid(field: string, value: string, fault: string): SluiceError {
  return new SluiceError("SLUICE_CONFIG_INVALID", `${field}: ${JSON.stringify(value)} is ${fault}`, {
    field,
  });
}
