/** Which host names belong to one registrant, by the Public Suffix List. */
import { parse } from "tldts";

/**
 * The registrable domain of a host name: its public suffix and one label more. The list's private part counts, so
 * sites of different people below one provider (e.g. a pages service) are different domains.
 * An IP address, a public suffix and a name of one label are their own.
 * @param host lower-case host name, IPv6 in brackets; a port is ignored
 */
export function registrableDomain(host: string): string {
  const name = host.replace(/:\d+$/, "");
  if (name.startsWith("[")) return name;
  const { domain, isIp } = parse(name, { allowPrivateDomains: true, extractHostname: false });
  return isIp === true ? name : (domain ?? name);
}
