/** Which IP addresses may be asked: those that are globally reachable (IANA special-purpose registries, RFC 6890). */
import ipaddr from "ipaddr.js";

/** A block of addresses. IPv4 and IPv6 are two worlds: a block of one never holds an address of the other. */
export interface Cidr {
  readonly family: 4 | 6;
  /** The first address, 4 or 16 octets; all bits after `prefixBits` are zero. */
  readonly octets: readonly number[];
  readonly prefixBits: number;
}

export interface AddressDecision {
  readonly allowed: boolean;
  /** A sentence for people: the block that decided, and by which rule. */
  readonly reason: string;
}

/**
 * Reads `address/bits`, or one address as a block of its own; null for anything else. Bits after the prefix are
 * ignored. IPv4 in four decimal parts only, IPv6 without zone.
 */
export function parseCidr(text: string): Cidr | null {
  const slash = text.indexOf("/");
  const octets = octetsOf(slash < 0 ? text : text.slice(0, slash));
  if (octets === null) return null;
  const bitsText = slash < 0 ? String(octets.length * 8) : text.slice(slash + 1);
  const prefixBits = /^\d{1,3}$/.test(bitsText) ? Number(bitsText) : Infinity;
  if (prefixBits > octets.length * 8) return null;
  const masked = octets.map(
    (octet, i) => octet & (0xff00 >> Math.min(8, Math.max(0, prefixBits - i * 8))) & 0xff,
  );
  return { family: octets.length === 4 ? 4 : 6, octets: masked, prefixBits };
}

/**
 * Whether a connection to `ip` may be made. An address that carries an IPv4 address inside (mapped, NAT64, 6to4,
 * Teredo, ISATAP) is allowed only if that one may be reached too.
 * @param ip an address as a resolver gives it; anything that is no address is refused
 * @param allow blocks that are allowed although they are not globally reachable, e.g. a loopback block in tests
 */
export function classifyAddress(ip: string, allow: readonly Cidr[]): AddressDecision {
  const octets = octetsOf(ip);
  if (octets === null) return { allowed: false, reason: "not an IP address" };
  const mapped = octets.length === 16 && contains(mappedBlock, octets) ? octets.slice(12) : null;
  if (allow.some((block) => contains(block, octets) || (mapped !== null && contains(block, mapped)))) {
    return { allowed: true, reason: "in a block that the configuration allows" };
  }
  if (mapped !== null) return inside("IPv4-mapped", mapped);
  return octets.length === 4 ? classifyIpv4(octets) : classifyIpv6(octets);
}

function classifyIpv4(octets: readonly number[]): AddressDecision {
  const block = mostSpecific(ipv4Blocks, octets);
  if (block === undefined) return { allowed: true, reason: "globally reachable" };
  return { allowed: block.reachable, reason: block.name };
}

function classifyIpv6(octets: readonly number[]): AddressDecision {
  const embedded = embeddedIpv4(octets);
  if (embedded !== null) {
    const refusal = embedded.addresses
      .map((address) => inside(embedded.name, address))
      .find((decision) => !decision.allowed);
    return refusal ?? { allowed: true, reason: `${embedded.name} with a globally reachable IPv4 address` };
  }
  const block = mostSpecific(ipv6Blocks, octets);
  if (block !== undefined) return { allowed: block.reachable, reason: block.name };
  // Outside 2000::/3 nothing is delegated for global unicast.
  if (!contains(globalUnicast, octets)) return { allowed: false, reason: "not global unicast (2000::/3)" };
  const interfaceId = octets.slice(8);
  if (
    (interfaceId[0] === 0 || interfaceId[0] === 2) &&
    isatap.every((octet, i) => interfaceId[i + 1] === octet)
  ) {
    return inside("ISATAP", octets.slice(12));
  }
  return { allowed: true, reason: "globally reachable" };
}

function inside(name: string, ipv4: readonly number[]): AddressDecision {
  const { allowed, reason } = classifyIpv4(ipv4);
  return { allowed, reason: `${name}, ${reason}` };
}

interface Embedded {
  readonly name: string;
  readonly addresses: readonly (readonly number[])[];
}

function embeddedIpv4(octets: readonly number[]): Embedded | null {
  if (contains(nat64Block, octets)) return { name: "NAT64", addresses: [octets.slice(12)] };
  if (contains(sixToFourBlock, octets)) return { name: "6to4", addresses: [octets.slice(2, 6)] };
  if (!contains(teredoBlock, octets)) return null;
  // The client's address is stored inverted (RFC 4380 §4); the server relays, so both would be reached.
  return { name: "Teredo", addresses: [octets.slice(4, 8), octets.slice(12).map((octet) => octet ^ 0xff)] };
}

/** Octets 9 to 11 of an ISATAP address (RFC 5214 §6.1). */
const isatap: readonly number[] = [0x00, 0x5e, 0xfe];

interface Block {
  readonly cidr: Cidr;
  readonly name: string;
  readonly reachable: boolean;
}

const mappedBlock = cidr("::ffff:0:0/96");
const nat64Block = cidr("64:ff9b::/96");
const sixToFourBlock = cidr("2002::/16");
const teredoBlock = cidr("2001::/32");
const globalUnicast = cidr("2000::/3");

const ipv4Blocks: readonly Block[] = [
  refused("0.0.0.0/8", "this network"),
  refused("10.0.0.0/8", "private use"),
  refused("100.64.0.0/10", "shared address space"),
  refused("127.0.0.0/8", "loopback"),
  refused("169.254.0.0/16", "link-local"),
  refused("172.16.0.0/12", "private use"),
  refused("192.0.0.0/24", "IETF protocol assignments"),
  reachable("192.0.0.9/32", "Port Control Protocol anycast"),
  reachable("192.0.0.10/32", "TURN anycast"),
  refused("192.0.2.0/24", "documentation"),
  refused("192.88.99.0/24", "deprecated 6to4 relay anycast"),
  refused("192.168.0.0/16", "private use"),
  refused("198.18.0.0/15", "benchmarking"),
  refused("198.51.100.0/24", "documentation"),
  refused("203.0.113.0/24", "documentation"),
  refused("224.0.0.0/4", "multicast"),
  refused("240.0.0.0/4", "reserved"),
];

const ipv6Blocks: readonly Block[] = [
  refused("::/128", "unspecified"),
  refused("::1/128", "loopback"),
  refused("::/96", "deprecated IPv4-compatible"),
  refused("64:ff9b:1::/48", "local-use NAT64"),
  refused("100::/64", "discard-only"),
  refused("100:0:0:1::/64", "dummy prefix"),
  refused("2001::/23", "IETF protocol assignments"),
  reachable("2001:1::1/128", "Port Control Protocol anycast"),
  reachable("2001:1::2/128", "TURN anycast"),
  reachable("2001:1::3/128", "DNS-SD anycast"),
  reachable("2001:3::/32", "AMT"),
  reachable("2001:4:112::/48", "AS112"),
  reachable("2001:20::/28", "ORCHIDv2"),
  reachable("2001:30::/28", "drone remote ID"),
  refused("2001:db8::/32", "documentation"),
  refused("3fff::/20", "documentation"),
  refused("5f00::/16", "segment routing SIDs"),
  refused("fc00::/7", "unique local"),
  refused("fe80::/10", "link-local"),
  refused("fec0::/10", "deprecated site-local"),
  refused("ff00::/8", "multicast"),
];

function refused(text: string, name: string): Block {
  return { cidr: cidr(text), name: `${name} (${text})`, reachable: false };
}

function reachable(text: string, name: string): Block {
  return { cidr: cidr(text), name: `${name} (${text})`, reachable: true };
}

function cidr(text: string): Cidr {
  const parsed = parseCidr(text);
  if (parsed === null) throw new Error(`not a CIDR block: ${text}`);
  return parsed;
}

function mostSpecific(blocks: readonly Block[], octets: readonly number[]): Block | undefined {
  let best: Block | undefined;
  for (const block of blocks) {
    if (contains(block.cidr, octets) && block.cidr.prefixBits >= (best?.cidr.prefixBits ?? 0)) best = block;
  }
  return best;
}

function contains(block: Cidr, octets: readonly number[]): boolean {
  if (block.octets.length !== octets.length) return false;
  const whole = block.prefixBits >> 3;
  for (let i = 0; i < whole; i++) if (block.octets[i] !== octets[i]) return false;
  const restBits = block.prefixBits & 7;
  return (
    restBits === 0 ||
    (((block.octets[whole] ?? 0) ^ (octets[whole] ?? 0)) & (0xff00 >> restBits) & 0xff) === 0
  );
}

function octetsOf(ip: string): readonly number[] | null {
  if (ipaddr.IPv4.isValidFourPartDecimal(ip)) return ipaddr.IPv4.parse(ip).toByteArray();
  // A zone names a link, which a globally reachable address has no use for.
  if (!ip.includes(":") || ip.includes("%")) return null;
  const hex = withHexTail(ip);
  return hex !== null && ipaddr.IPv6.isValid(hex) ? ipaddr.IPv6.parse(hex).toByteArray() : null;
}

/** An IPv6 address whose last four octets may be dotted in hexadecimal alone: ipaddr.js reads ::1.2.3.4 as mapped. */
function withHexTail(ip: string): string | null {
  const tailAt = ip.lastIndexOf(":") + 1;
  const tail = ip.slice(tailAt);
  if (!tail.includes(".")) return ip;
  if (!ipaddr.IPv4.isValidFourPartDecimal(tail)) return null;
  const [a = 0, b = 0, c = 0, d = 0] = ipaddr.IPv4.parse(tail).toByteArray();
  return `${ip.slice(0, tailAt)}${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
}
