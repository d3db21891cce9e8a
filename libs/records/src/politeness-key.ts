/** What shares a clock: the one place that says which domain a host name is of. */

/** What the domain of a record is: a host name, or the registrable domain that several have in common. */
export const politenessKeys = ["host", "registrable-domain"] as const;
export type PolitenessKey = (typeof politenessKeys)[number];

/**
 * The domain under which records about a host are keyed, and by which it shares partition, clock, connections and caps.
 * @param host lower-case host name without a port, IPv6 in brackets
 * @param registrableDomain by the list of public suffixes, which is not this package's; what has none is its own
 */
export const politenessKeyOf = (
  key: PolitenessKey,
  host: string,
  registrableDomain: (host: string) => string,
): string => (key === "host" ? host : registrableDomain(host));

/**
 * Whether a record of that domain may be about the host. Who wrote it may have had another version of the list of
 * public suffixes, so of registrable domains only that is asked for that holds by any list.
 */
export const isOfDomain = (key: PolitenessKey, domain: string, host: string): boolean =>
  host === domain || (key === "registrable-domain" && host.endsWith(`.${domain}`));
