import { createServer as createTlsServer } from "node:tls";
import { classifyAddress } from "@sluice/web";
import { expect, test } from "vitest";
import type { Proxy, Route } from "../src/index.ts";
import { clientFor, failed, fetchOf, rawServer, responded, response, server200, textOf } from "./loopback.ts";
import { proxyServer } from "./proxy.ts";
import { testCertificate, testKey } from "./test-certificate.ts";

const trusted = (origin: string, authorization?: string): Route => ({
  proxy: { origin, trusted: true, ...(authorization === undefined ? {} : { authorization }) },
});

test("two egress addresses are two addresses at the host, each with connections of its own", async () => {
  const peers: string[] = [];
  await using site = await rawServer((socket) => {
    peers.push(socket.remoteAddress ?? "");
    socket.write(response("ok"));
  });
  await using client = clientFor();
  for (const localAddress of ["127.0.0.41", "127.0.0.42", "127.0.0.41", "127.0.0.42"])
    responded(await fetchOf(client, site.origin, { route: { localAddress } }));
  expect(peers).toEqual(["127.0.0.41", "127.0.0.42", "127.0.0.41", "127.0.0.42"]);
  expect(site.accepted).toBe(2);
});

test("an address that this machine does not have is a failure of kind connect, not another address", async () => {
  await using site = await server200("ok");
  await using client = clientFor();
  const answer = failed(await fetchOf(client, site.origin, { route: { localAddress: "192.0.2.1" } }));
  expect([answer.category, answer.code, site.accepted]).toEqual(["connect", "EADDRNOTAVAIL", 0]);
});

test("a plain request goes to the proxy whole, with the proxy's credential, which the host never sees", async () => {
  await using site = await server200("by proxy");
  const whereIs = () => ({ host: "127.0.0.1", port: site.port });
  await using proxy = await proxyServer({ whereIs, authorization: "Basic cHJveHk=" });
  await using client = clientFor({ route: trusted(proxy.origin, "Basic cHJveHk=") });
  for (const path of ["/a?b", "/c"]) {
    const answer = responded(await fetchOf(client, `http://site.test:8080${path}`));
    expect(Buffer.from(answer.body).toString()).toBe("by proxy");
  }
  expect(proxy.heads.length).toBe(1);
  expect(proxy.heads[0]).toMatch(
    /^GET http:\/\/site\.test:8080\/a\?b HTTP\/1\.1\r\nhost: site\.test:8080\r\n/,
  );
  expect(site.requests.join("\n").toLowerCase()).toContain("get http://site.test:8080/c");
  expect(site.requests[0]?.toLowerCase()).not.toContain("proxy-authorization");
});

async function secureSite() {
  return await rawServer(
    (socket) => socket.write(response("secure")),
    "127.0.0.1",
    (onSocket) => createTlsServer({ key: testKey, cert: testCertificate }, onSocket),
  );
}

test("https goes through a tunnel, verified end to end, and the proxy sees no more than the host's name", async () => {
  await using site = await secureSite();
  const whereIs = () => ({ host: "127.0.0.1", port: site.port });
  await using proxy = await proxyServer({ whereIs, authorization: "Basic cHJveHk=" });
  const route = trusted(proxy.origin, "Basic cHJveHk=");
  await using client = clientFor({ route, tlsCa: testCertificate });
  expect(textOf(await fetchOf(client, "https://sluice.test/secret/path"))).toBe("secure");
  expect(proxy.heads).toEqual([
    "CONNECT sluice.test:443 HTTP/1.1\r\nHost: sluice.test:443\r\nProxy-Authorization: Basic cHJveHk=",
  ]);
  expect(site.requests[0]?.toLowerCase()).not.toContain("proxy-authorization");
  await using distrusting = clientFor({ route });
  expect(failed(await fetchOf(distrusting, "https://sluice.test/")).category).toBe("tls");
});

test.each<[string, string, string]>([
  ["no credential", "HTTP/1.1 407 Who are you\r\n\r\n", "PROXY_407"],
  ["a host that it can't reach", "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 2\r\n\r\nno", "PROXY_502"],
  ["no HTTP", "SSH-2.0-OpenSSH\r\n\r\n", "PROXY_PROTOCOL"],
  ["an answer without an end", `HTTP/1.1 200 OK\r\nx: ${"y".repeat(40_000)}`, "PROXY_PROTOCOL"],
  ["nothing at all", "", "PROXY_CLOSED"],
])("a proxy with %s is a failure of kind connect", async (_, answer, code) => {
  await using proxy = await proxyServer({ whereIs: () => ({ host: "127.0.0.1", port: 1 }), answer });
  await using client = clientFor({ route: trusted(proxy.origin) });
  const got = failed(await fetchOf(client, "https://sluice.test/"));
  expect([got.category, got.code, got.requestSent]).toEqual(["connect", code, false]);
  expect(client.connections).toMatchObject({ busy: 0, idle: 0 });
});

test("a proxy that asks for its credential says nothing of the host, over http either", async () => {
  const whereIs = () => ({ host: "127.0.0.1", port: 1 });
  await using proxy = await proxyServer({ whereIs, authorization: "Basic cHJveHk=" });
  await using client = clientFor({ route: trusted(proxy.origin) });
  const got = failed(await fetchOf(client, "http://site.test/robots.txt"));
  expect([got.category, got.code]).toEqual(["connect", "PROXY_407"]);
  await using site = await rawServer((socket) => socket.write(response("", [], "407 Who")));
  expect(responded(await fetchOf(client, site.origin, { route: {} })).status).toBe(407);
});

test("a proxy that never answers ends with the connect deadline", async () => {
  await using silent = await rawServer(() => undefined);
  await using client = clientFor({ route: trusted(silent.origin) });
  const answer = failed(await fetchOf(client, "https://sluice.test/", { connectTimeoutMs: 100 }));
  expect(answer.category).toBe("timeout_connect");
  await silent.closed(1);
});

test("through a proxy too no private target is asked, by literal, override or local name", async () => {
  await using proxy = await proxyServer({ whereIs: () => ({ host: "127.0.0.1", port: 1 }) });
  await using client = clientFor({
    isAllowed: (ip) => classifyAddress(ip, []),
    route: trusted(proxy.origin),
    resolve: new Map([["override.test:80", "10.0.0.1"]]),
  });
  const hosts = [
    "169.254.169.254",
    "2130706433",
    "0x7f.1",
    "[::ffff:10.0.0.1]",
    "[64:ff9b::a00:1]",
    "localhost",
    "a.localhost",
    "metadata",
    "metadata.google.internal",
    "printer.local",
    "nas.home.arpa",
    "override.test",
  ];
  for (const scheme of ["http", "https"]) {
    for (const host of hosts.slice(0, scheme === "http" ? 99 : -1)) {
      const answer = failed(await fetchOf(client, `${scheme}://${host}/`));
      expect([host, answer.category]).toEqual([host, "address_refused"]);
    }
  }
  expect(proxy.heads).toEqual([]);
});

test("a proxy that the operator does not vouch for is vetted like a host", async () => {
  await using proxy = await proxyServer({ whereIs: () => ({ host: "127.0.0.1", port: 1 }) });
  const given: Proxy = { origin: proxy.origin, trusted: false };
  await using client = clientFor({ isAllowed: (ip) => classifyAddress(ip, []), route: { proxy: given } });
  expect(failed(await fetchOf(client, "https://sluice.test/")).category).toBe("address_refused");
  expect(proxy.heads).toEqual([]);
});

test("certificates are verified unless a request says otherwise, and trust is never shared", async () => {
  await using site = await secureSite();
  const resolve = new Map([[`sluice.test:${site.port}`, "127.0.0.1"]]);
  await using client = clientFor({ resolve });
  const url = `https://sluice.test:${site.port}/`;
  expect(failed(await fetchOf(client, url)).category).toBe("tls");
  expect(textOf(await fetchOf(client, url, { route: { verifiesTls: false } }))).toBe("secure");
  // The connection that was not verified is idle now, and must not serve a request that wants it verified.
  expect(client.connections.idle).toBe(1);
  expect(failed(await fetchOf(client, url)).category).toBe("tls");
  expect(site.requests.length).toBe(1);
});
