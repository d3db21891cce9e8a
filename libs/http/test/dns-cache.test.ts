import { expect, test } from "vitest";
import { DnsCache, type HostAddresses } from "../src/dns-cache.ts";
import { hostResolver, parseHosts } from "../src/host-resolver.ts";
import { nameServer } from "./name-server.ts";

function cacheOf(answers: Record<string, () => Promise<HostAddresses>>, entriesMax = 10) {
  const asked: string[] = [];
  const clock = { nowMs: 0 };
  const cache = new DnsCache({
    resolveHost: (hostname) => {
      asked.push(hostname);
      return answers[hostname]?.() ?? Promise.resolve({ addresses: ["192.0.2.1"], ttlMs: null });
    },
    monotonicMs: () => clock.nowMs,
    entriesMax,
  });
  return { cache, asked, clock };
}

test("asks once for as long as an answer lives, and again after", async () => {
  const { cache, asked, clock } = cacheOf({});
  await cache.addresses("a.test");
  clock.nowMs = 59_999;
  await cache.addresses("a.test");
  expect(asked.length).toBe(1);
  clock.nowMs = 60_000;
  await cache.addresses("a.test");
  expect(asked.length).toBe(2);
});

test("keeps a failure for a shorter time", async () => {
  const { cache, asked, clock } = cacheOf({ "b.test": () => Promise.reject(new Error("SERVFAIL")) });
  await expect(cache.addresses("b.test")).rejects.toThrow("SERVFAIL");
  clock.nowMs = 4_999;
  await expect(cache.addresses("b.test")).rejects.toThrow("SERVFAIL");
  expect(asked.length).toBe(1);
  clock.nowMs = 5_000;
  await expect(cache.addresses("b.test")).rejects.toThrow("SERVFAIL");
  expect(asked.length).toBe(2);
});

test("many that ask for a name at once share one query", async () => {
  const { cache, asked } = cacheOf({});
  await Promise.all(Array.from({ length: 100 }, () => cache.addresses("a.test")));
  expect(asked).toEqual(["a.test"]);
});

test("a query that never ends is not shared for ever", () => {
  const { cache, asked, clock } = cacheOf({ "c.test": () => new Promise(() => undefined) });
  void cache.addresses("c.test");
  clock.nowMs = 60_000;
  void cache.addresses("c.test");
  expect(asked.length).toBe(2);
});

test("at the limit forgets the name asked for longest ago", async () => {
  const { cache, asked } = cacheOf({}, 2);
  for (const name of ["a", "b", "a", "c"]) await cache.addresses(name);
  expect(cache.size).toBe(2);
  await cache.addresses("a");
  expect(asked).toEqual(["a", "b", "c"]);
  await cache.addresses("b");
  expect(asked).toEqual(["a", "b", "c", "b"]);
});

test("reads a hosts file and answers from it without asking anyone", async () => {
  const text =
    "# comment\n127.0.0.1 localhost\n127.0.0.5\tSite.Test www.site.test # mine\n::5 site.test\nnonsense x\n";
  expect(Object.fromEntries(parseHosts(text))).toEqual({
    localhost: ["127.0.0.1"],
    "site.test": ["127.0.0.5", "::5"],
    "www.site.test": ["127.0.0.5"],
  });
  expect(await hostResolver({ hostsText: text })("site.test")).toEqual({
    addresses: ["127.0.0.5", "::5"],
    ttlMs: null,
  });
});

test("keeps an answer for as long as its name server says, within bounds", async () => {
  for (const [ttlMs, keptMs] of [
    [0, 5_000],
    [30_000, 30_000],
    [86_400_000, 600_000],
  ] as const) {
    const { cache, asked, clock } = cacheOf({
      "d.test": () => Promise.resolve({ addresses: ["192.0.2.4"], ttlMs }),
    });
    await cache.addresses("d.test");
    clock.nowMs = keptMs - 1;
    await cache.addresses("d.test");
    expect(asked.length).toBe(1);
    clock.nowMs = keptMs;
    await cache.addresses("d.test");
    expect(asked.length).toBe(2);
  }
});

test("of a name with thousands of addresses it gives no more than any site has", async () => {
  const addresses = Array.from({ length: 5_000 }, (_, n) => `192.0.${n >> 8}.${n & 255}`);
  const { cache } = cacheOf({ "e.test": () => Promise.resolve({ addresses, ttlMs: null }) });
  expect(await cache.addresses("e.test")).toEqual(addresses.slice(0, 32));
});

test("reads the TTL of a real answer", async () => {
  await using server = await nameServer(() => ({ address: "192.0.2.7", ttlSeconds: 42 }));
  const resolve = hostResolver({ hostsText: "", servers: [server.address] });
  expect(await resolve("site.test")).toEqual({ addresses: ["192.0.2.7"], ttlMs: 42_000 });
  expect(server.asked).toContain("site.test");
});
