import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { classifyAddress, parseCidr, type Cidr } from "../src/index.ts";
import { describeWithData, readText } from "./shared-data.ts";

const isAllowed = (ip: string, allow: readonly Cidr[] = []): boolean => classifyAddress(ip, allow).allowed;

function block(text: string): Cidr {
  const parsed = parseCidr(text);
  if (parsed === null) throw new Error(`no block: ${text}`);
  return parsed;
}

describe("classifyAddress", () => {
  test.each([
    ["8.8.8.8", true],
    ["172.15.255.255", true],
    ["172.16.0.0", false],
    ["172.31.255.255", false],
    ["172.32.0.0", true],
    ["100.63.255.255", true],
    ["100.64.0.1", false],
    ["169.254.169.254", false],
    ["224.0.0.1", false],
    ["255.255.255.255", false],
    ["192.0.0.8", false],
    ["192.0.0.9", true],
    ["2606:4700::1111", true],
    ["::", false],
    ["::1", false],
    ["::8.8.8.8", false],
    ["::127.0.0.1", false],
    ["::ffff:8.8.8.8", true],
    ["::ffff:127.0.0.1", false],
    ["::ffff:a00:1", false],
    ["::ffff:0:127.0.0.1", false],
    ["64:ff9b::8.8.8.8", true],
    ["64:ff9b::169.254.169.254", false],
    ["64:ff9b:1::8.8.8.8", false],
    ["2002:808:808::1", true],
    ["2002:7f00:1::1", false],
    ["2002:a9fe:a9fe::", false],
    // Teredo: server 65.54.227.120 and client 192.0.2.45 (RFC 4380 §4 inverts it), then a client that is public.
    ["2001:0:4136:e378:8000:63bf:3fff:fdd2", false],
    ["2001:0:4136:e378:8000:63bf:f7f7:f7f7", true],
    ["2001:0:7f00:1:8000:63bf:f7f7:f7f7", false],
    ["2606:4700::5efe:10.0.0.1", false],
    ["2606:4700::200:5efe:8.8.8.8", true],
    ["fe80::1", false],
    ["fec0::1", false],
    ["fd00:ec2::254", false],
    ["ff02::1", false],
    ["4000::1", false],
    ["fe80::1%eth0", false],
    ["2606:4700::1%eth0", false],
    ["0x7f.1", false],
    ["127.1", false],
    ["2130706433", false],
    ["010.8.8.8", false],
    ["[::1]", false],
    ["example.com", false],
    ["", false],
  ])("%s is allowed: %j", (ip, allowed) => {
    expect(isAllowed(ip)).toBe(allowed);
  });

  test("says which block decided", () => {
    expect(classifyAddress("10.1.2.3", []).reason).toBe("private use (10.0.0.0/8)");
    expect(classifyAddress("64:ff9b::10.1.2.3", []).reason).toBe("NAT64, private use (10.0.0.0/8)");
    expect(classifyAddress("nonsense", []).reason).toBe("not an IP address");
  });

  test("lets the configuration allow a block, also by its mapped form, and nothing beside it", () => {
    const allow = [block("127.0.0.0/9"), block("fd00::/32")];
    expect(isAllowed("127.127.255.255", allow)).toBe(true);
    expect(isAllowed("127.128.0.0", allow)).toBe(false);
    expect(isAllowed("::ffff:127.0.0.1", allow)).toBe(true);
    expect(isAllowed("64:ff9b::127.0.0.1", allow)).toBe(false);
    expect(isAllowed("fd00:0:1::1", allow)).toBe(true);
    expect(isAllowed("fd00:1::1", allow)).toBe(false);
  });

  test("allows an embedded IPv4 address only where the address itself is allowed", () => {
    fc.assert(
      fc.property(fc.ipV4(), (ip) => {
        const [a = 0, b = 0, c = 0, d = 0] = ip.split(".").map(Number);
        const hex = (high: number, low: number): string => (high * 256 + low).toString(16);
        for (const carrier of [`::ffff:${ip}`, `64:ff9b::${ip}`, `2002:${hex(a, b)}:${hex(c, d)}::1`]) {
          expect(isAllowed(carrier)).toBe(isAllowed(ip));
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe("parseCidr", () => {
  test("masks what follows the prefix", () => {
    expect(parseCidr("10.255.1.2/9")).toEqual({ family: 4, octets: [10, 128, 0, 0], prefixBits: 9 });
    expect(parseCidr("0.0.0.0/0")).toEqual({ family: 4, octets: [0, 0, 0, 0], prefixBits: 0 });
    expect(parseCidr("192.0.2.1")).toMatchObject({ family: 4, prefixBits: 32 });
    expect(parseCidr("2001:db8::1/32")).toMatchObject({ family: 6, prefixBits: 32 });
  });

  test.each([
    "",
    "10.0.0.0/33",
    "10.0.0.0/-1",
    "10.0.0.0/",
    "10.0.0/8",
    "::/129",
    "a/8",
    "10.0.0.0/8/8",
    "10.0.0.0/8 ",
  ])("%j is no block", (text) => {
    expect(parseCidr(text)).toBeNull();
  });
});

/** Blocks where the registry alone does not decide, and what we do. */
const exceptions: Readonly<Record<string, { readonly allowed: boolean; readonly why: string }>> = {
  "192.88.99.0/24": { allowed: false, why: "no entry, deprecated: refused" },
  "2001:10::/28": { allowed: false, why: "no entry, deprecated: refused" },
  "::ffff:0:0/96": { allowed: false, why: "decided by the IPv4 address inside, here 0.0.0.0" },
  "64:ff9b::/96": { allowed: false, why: "decided by the IPv4 address inside, here 0.0.0.0" },
  "2001::/32": { allowed: false, why: "decided by the IPv4 addresses inside, here 0.0.0.0" },
  "2002::/16": { allowed: false, why: "decided by the IPv4 address inside, here 0.0.0.0" },
};

const registries = ["iana-ipv4-special-registry-1.csv", "iana-ipv6-special-registry-1.csv"];

describeWithData("the IANA special-purpose registries", registries, () => {
  test("are followed in every block, but for those listed here", () => {
    const rows = registries.flatMap((file) => blocksOf(readText(file)));
    expect(rows).toHaveLength(51);
    for (const { cidr, reachable } of rows) {
      const [address = ""] = cidr.split("/");
      const expected = exceptions[cidr]?.allowed ?? reachable;
      expect({ cidr, allowed: isAllowed(address) }).toEqual({ cidr, allowed: expected });
      // The last address of the block too, so that the prefix lengths are right.
      if (exceptions[cidr] === undefined)
        expect({ cidr, allowed: isAllowed(lastOf(cidr)) }).toEqual({ cidr, allowed: expected });
    }
  });
});

function blocksOf(csv: string): { cidr: string; reachable: boolean }[] {
  // A field may be quoted and hold commas, doubled quotes and line ends.
  const records = [...csv.matchAll(/(?:^|\n)((?:"(?:[^"]|"")*"|[^"\n])+)/g)].map((match) => match[1] ?? "");
  return records.slice(1).flatMap((record) => {
    const fields = [...record.matchAll(/(?:^|,)("(?:[^"]|"")*"|[^,]*)/g)].map((match) => match[1] ?? "");
    const reachable = (fields[8] ?? "").startsWith("True");
    const blocks = (fields[0] ?? "").replaceAll('"', "").replace(/ \[\d+\]/g, "");
    return blocks.split(", ").map((cidr) => ({ cidr, reachable }));
  });
}

function lastOf(cidr: string): string {
  const { family, octets, prefixBits } = block(cidr);
  const last = octets.map((octet, i) => octet | (0xff >> Math.min(8, Math.max(0, prefixBits - i * 8))));
  if (family === 4) return last.join(".");
  const hex = last.map((octet) => octet.toString(16).padStart(2, "0")).join("");
  return hex.match(/.{4}/g)?.join(":") ?? "";
}
