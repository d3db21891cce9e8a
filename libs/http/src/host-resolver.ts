/** How host names become addresses unless the caller brings another way. */
import { promises as dns } from "node:dns";
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import type { ResolveHost } from "./dns-cache.ts";

export interface HostResolverOptions {
  /** The text of a hosts file; by default that of the machine, read once. */
  readonly hostsText?: string;
  readonly queryTimeoutMs?: number;
  readonly queryTries?: number;
  /** `address:port` of the name servers; by default those of the machine. */
  readonly servers?: readonly string[];
}

/**
 * Asks DNS servers directly, because getaddrinfo runs on the thread pool of four that also
 * inflates bodies: a few dead name servers would stop every other host. What getaddrinfo
 * knows besides, the hosts file and (for names without a dot) search domains, is kept.
 */
export function hostResolver(options: HostResolverOptions = {}): ResolveHost {
  const resolver = new dns.Resolver({
    timeout: options.queryTimeoutMs ?? 3_000,
    tries: options.queryTries ?? 2,
  });
  if (options.servers !== undefined) resolver.setServers([...options.servers]);
  const hosts = parseHosts(options.hostsText ?? machineHosts());
  return async (hostname) => {
    const fixed = hosts.get(hostname);
    if (fixed !== undefined) return { addresses: fixed, ttlMs: null };
    if (!hostname.includes(".") || hostname.endsWith(".localhost")) {
      const found = await dns.lookup(hostname, { all: true });
      return { addresses: found.map(({ address }) => address), ttlMs: null };
    }
    const [four, six] = await Promise.allSettled([
      resolver.resolve4(hostname, { ttl: true }),
      resolver.resolve6(hostname, { ttl: true }),
    ]);
    const records = [four, six].flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
    if (records.length === 0 && four.status === "rejected") throw four.reason;
    return {
      addresses: records.map(({ address }) => address),
      ttlMs: records.length === 0 ? null : 1000 * Math.min(...records.map(({ ttl }) => ttl)),
    };
  };
}

/** hosts(5): an address, then its names; `#` begins a comment. */
export function parseHosts(text: string): Map<string, string[]> {
  const hosts = new Map<string, string[]>();
  for (const line of text.split("\n")) {
    const [address = "", ...names] = line.replace(/#.*/, "").trim().split(/\s+/);
    if (isIP(address) === 0) continue;
    for (const name of names.map((name) => name.toLowerCase())) {
      hosts.set(name, [...(hosts.get(name) ?? []), address]);
    }
  }
  return hosts;
}

function machineHosts(): string {
  try {
    return readFileSync("/etc/hosts", "utf8");
  } catch {
    return "";
  }
}
