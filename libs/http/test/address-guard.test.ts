import { classifyAddress, parseCidr } from "@sluice/web";
import { expect, test } from "vitest";
import { clientFor, failed, fetchOf, responded, server200 } from "./loopback.ts";

test("with the real classification no private, local or metadata address is asked, by literal, name or override", async () => {
  await using site = await server200("secret");
  const inner = [
    "127.0.0.1",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
  ];
  const six = ["::1", "fe80::1", "fd00::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"];
  let asked = "";
  await using client = clientFor({
    isAllowed: (ip) => classifyAddress(ip, []),
    resolveHost: () => Promise.resolve({ addresses: [asked], ttlMs: null }),
    resolve: new Map([[`override.test:${site.port}`, "127.0.0.1"]]),
  });
  for (const [index, address] of [...inner, ...six].entries()) {
    asked = address;
    const literal = address.includes(":") ? `[${address}]` : address;
    for (const host of [literal, `n${index}.named.test`, "override.test"]) {
      const answer = failed(await fetchOf(client, `http://${host}:${site.port}/`));
      expect([host, address, answer.category]).toEqual([host, address, "address_refused"]);
    }
  }
  expect(site.accepted).toBe(0);
});

test("a block that the configuration allows is asked", async () => {
  await using site = await server200("ours");
  const allow = parseCidr("127.0.0.0/8");
  await using client = clientFor({ isAllowed: (ip) => classifyAddress(ip, allow === null ? [] : [allow]) });
  expect(responded(await fetchOf(client, site.origin)).remoteAddress).toBe("127.0.0.1");
});
