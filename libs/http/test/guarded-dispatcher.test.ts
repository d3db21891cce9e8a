import { createServer } from "node:net";
import type { Server, Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { expect, test } from "vitest";
import {
  clientFor,
  failed,
  fetchOf,
  rawServer,
  requestOf,
  responded,
  response,
  server200,
  textOf,
} from "./loopback.ts";
import { testCertificate, testKey } from "./test-certificate.ts";

const refuseOne = (ip: string): { allowed: boolean; reason: string } => ({
  allowed: ip === "127.0.0.2",
  reason: "private",
});

test("refuses a literal address without opening a connection, in every spelling that URL reads as that address", async () => {
  await using target = await server200("secret");
  await using client = clientFor({ isAllowed: refuseOne });
  const hosts = [
    "127.0.0.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "127.1",
    "[::1]",
    "[::ffff:127.0.0.1]",
  ];
  for (const host of hosts) {
    const answer = failed(await fetchOf(client, `http://${host}:${target.port}/`));
    expect([host, answer.category, answer.code]).toEqual([host, "address_refused", "ADDRESS_REFUSED"]);
    expect(answer.requestSent).toBe(false);
  }
  expect(target.accepted).toBe(0);
});

test("refuses the cloud metadata address and says which address and why", async () => {
  await using client = clientFor();
  const answer = failed(await fetchOf(client, "http://169.254.169.254/latest/meta-data/"));
  expect(answer.category).toBe("address_refused");
  expect(answer.message).toContain("169.254.169.254 (not loopback)");
});

test("vets the address that an override names", async () => {
  await using target = await server200("secret");
  const resolve = new Map([[`site.test:${target.port}`, "127.0.0.1"]]);
  await using client = clientFor({ isAllowed: refuseOne, resolve });
  expect(failed(await fetchOf(client, `http://site.test:${target.port}/`)).category).toBe("address_refused");
  expect(target.accepted).toBe(0);
});

test("an override changes the address and nothing else: the Host field stays the URL's", async () => {
  await using target = await rawServer((socket) => socket.write(response("here")), "127.0.0.3");
  await using client = clientFor({ resolve: new Map([[`site.test:${target.port}`, "127.0.0.3"]]) });
  const answer = responded(await fetchOf(client, `http://site.test:${target.port}/a?b`));
  expect(answer.remoteAddress).toBe("127.0.0.3");
  expect(target.requests[0]).toContain(`GET /a?b HTTP/1.1\r\nhost: site.test:${target.port}\r\n`);
  expect(failed(await fetchOf(client, `http://site.test:1/`)).category).toBe("dns");
});

test("a name server that changes its answer to a private address never gets a connection there", async () => {
  await using publicSite = await rawServer(
    (socket) => socket.end(response("public", ["Connection: close"])),
    "127.0.0.2",
  );
  const make = (onSocket: (socket: Socket) => void): Server => createServer(onSocket);
  await using target = await rawServer((socket) => socket.end("secret"), "127.0.0.1", make, publicSite.port);
  let nowMs = 0;
  let asked = 0;
  await using client = clientFor({
    isAllowed: refuseOne,
    monotonicMs: () => nowMs,
    resolveHost: () =>
      Promise.resolve({ addresses: (asked += 1) === 1 ? ["127.0.0.2"] : ["127.0.0.1"], ttlMs: 60_000 }),
  });
  const url = `http://rebind.test:${publicSite.port}/`;
  // The second one still has the first answer: what was vetted and what is connected to are one.
  expect(textOf(await fetchOf(client, url))).toBe("public");
  expect(textOf(await fetchOf(client, url))).toBe("public");
  expect([asked, publicSite.accepted]).toEqual([1, 2]);
  for (let tries = 0; tries < 1_000; tries += 1) {
    nowMs += 60_001;
    expect(failed(await fetchOf(client, url)).category).toBe("address_refused");
  }
  expect([asked, target.accepted]).toEqual([1_001, 0]);
});

test("of several addresses only the vetted ones are connected to", async () => {
  await using good = await rawServer((socket) => socket.write(response("good")), "127.0.0.2");
  await using client = clientFor({
    isAllowed: refuseOne,
    resolveHost: () =>
      Promise.resolve({ addresses: ["127.0.0.1", "::1", "127.0.0.2", "not an address"], ttlMs: null }),
  });
  const answer = responded(await fetchOf(client, `http://mixed.test:${good.port}/`));
  expect(answer.remoteAddress).toBe("127.0.0.2");
});

test("tries the next vetted address where the first does not answer", async () => {
  await using good = await rawServer((socket) => socket.write(response("good")), "127.0.0.2");
  await using client = clientFor({
    resolveHost: () => Promise.resolve({ addresses: ["127.0.0.9", "127.0.0.2"], ttlMs: null }),
  });
  expect(responded(await fetchOf(client, `http://two.test:${good.port}/`)).remoteAddress).toBe("127.0.0.2");
});

test("connects from the local address that is configured", async () => {
  let peer: string | undefined;
  await using site = await rawServer((socket) => {
    peer = socket.remoteAddress;
    socket.write(response("ok"));
  });
  await using client = clientFor({ route: { localAddress: "127.0.0.42" } });
  responded(await fetchOf(client, `${site.origin}/`));
  expect(peer).toBe("127.0.0.42");
});

test("reuses the connection for the next request to an origin", async () => {
  await using site = await server200("kept");
  await using client = clientFor();
  for (let times = 0; times < 5; times += 1)
    expect(textOf(await fetchOf(client, `${site.origin}/${times}`))).toBe("kept");
  expect([site.accepted, site.requests.length]).toEqual([1, 5]);
  expect(client.connections).toMatchObject({ busy: 0, idle: 1 });
});

test("opens one connection for each request that runs at the same time, never sends two on one", async () => {
  const held: (() => void)[] = [];
  await using site = await rawServer((socket) => {
    held.push(() => socket.write(response("ok")));
    if (held.length === 3) for (const release of held) release();
  });
  await using client = clientFor();
  const answers = await Promise.all([1, 2, 3].map((n) => fetchOf(client, `${site.origin}/${n}`)));
  expect(answers.map((answer) => responded(answer).status)).toEqual([200, 200, 200]);
  expect(site.accepted).toBe(3);
});

test("closes a connection that stays unused", async () => {
  await using site = await server200("ok");
  await using client = clientFor({ keepAliveMs: 100 });
  responded(await fetchOf(client, `${site.origin}/`));
  await site.closed(1);
  expect(site.sockets.size).toBe(0);
  responded(await fetchOf(client, `${site.origin}/`));
  expect(site.accepted).toBe(2);
});

test("keeps no more unused connections than allowed, the one unused longest goes first", async () => {
  await using first = await server200("1");
  await using second = await server200("2");
  await using third = await server200("3");
  await using client = clientFor({ idleSocketsMax: 2 });
  for (const site of [first, second, third]) responded(await fetchOf(client, `${site.origin}/`));
  await first.closed(1);
  expect(client.connections.idle).toBe(2);
  expect([second.sockets.size, third.sockets.size]).toEqual([1, 1]);
});

test("a connection that the server closed while unused is opened again, unnoticed", async () => {
  await using site = await server200("ok");
  await using client = clientFor();
  responded(await fetchOf(client, `${site.origin}/`));
  for (const socket of site.sockets) socket.destroy();
  await site.closed(1);
  expect(textOf(await fetchOf(client, `${site.origin}/`))).toBe("ok");
  expect(site.accepted).toBe(2);
});

test.each(["http", "https"])(
  "closes an unused %s connection as soon as the host says anything on it, be it blank lines without end",
  async (scheme) => {
    await using site = await rawServer(
      (socket) => socket.write(response("ok")),
      "127.0.0.1",
      scheme === "http"
        ? undefined
        : (onSocket) => createTlsServer({ key: testKey, cert: testCertificate }, onSocket),
    );
    const resolve = new Map([[`sluice.test:${site.port}`, "127.0.0.1"]]);
    await using client = clientFor({ resolve, tlsCa: testCertificate, keepAliveMs: 60_000 });
    const url = `${scheme}://sluice.test:${site.port}/`;
    for (const times of [1, 2]) {
      for (let again = 0; again < 2; again += 1) expect(textOf(await fetchOf(client, url))).toBe("ok");
      expect([site.accepted, client.connections.idle]).toEqual([times, 1]);
      for (const socket of site.sockets) socket.write("\r\n");
      await site.closed(times);
      expect(client.connections).toMatchObject({ busy: 0, idle: 0 });
    }
  },
);

test("verifies certificates: an unknown authority and a wrong name are failures of kind tls", async () => {
  await using site = await rawServer(
    (socket) => socket.write(response("secure")),
    "127.0.0.1",
    (onSocket) => createTlsServer({ key: testKey, cert: testCertificate }, onSocket),
  );
  const resolve = new Map([
    [`sluice.test:${site.port}`, "127.0.0.1"],
    [`other.test:${site.port}`, "127.0.0.1"],
  ]);
  await using distrusting = clientFor({ resolve });
  const unknown = failed(await fetchOf(distrusting, `https://sluice.test:${site.port}/`));
  expect([unknown.category, unknown.code]).toEqual(["tls", "DEPTH_ZERO_SELF_SIGNED_CERT"]);
  await using trusting = clientFor({ resolve, tlsCa: testCertificate });
  const other = failed(await fetchOf(trusting, `https://other.test:${site.port}/`));
  expect([other.category, other.code, other.requestSent]).toEqual([
    "tls",
    "ERR_TLS_CERT_ALTNAME_INVALID",
    false,
  ]);
  expect(site.requests).toEqual([]);
  expect(textOf(await fetchOf(trusting, `https://sluice.test:${site.port}/`))).toBe("secure");
  const byAddress = failed(await fetchOf(trusting, `https://127.0.0.1:${site.port}/`));
  expect(byAddress.code).toBe("ERR_TLS_CERT_ALTNAME_INVALID");
});

test("sends the URL's host as the server name where an override gives the address", async () => {
  const names: string[] = [];
  await using site = await rawServer(
    (socket) => socket.write(response("ok")),
    "127.0.0.1",
    (onSocket) => {
      const SNICallback = (name: string, done: (error: null) => void): void => (names.push(name), done(null));
      return createTlsServer({ key: testKey, cert: testCertificate, SNICallback }, onSocket);
    },
  );
  const resolve = new Map([[`sluice.test:${site.port}`, "127.0.0.1"]]);
  await using client = clientFor({ tlsCa: testCertificate, resolve });
  responded(await fetchOf(client, `https://sluice.test:${site.port}/`));
  expect(names).toEqual(["sluice.test"]);
});

test("a peer that speaks no TLS is a failure of kind tls", async () => {
  await using plain = await rawServer(
    () => undefined,
    "127.0.0.1",
    (onSocket) =>
      createServer((socket) => {
        onSocket(socket);
        socket.write("HTTP/1.1 400 Bad Request\r\n\r\n");
      }),
  );
  await using client = clientFor();
  expect(failed(await fetchOf(client, `https://127.0.0.1:${plain.port}/`)).category).toBe("tls");
});

test("close waits for what is under way and then takes nothing more", async () => {
  let release = (): void => undefined;
  const asked = Promise.withResolvers<void>();
  await using site = await rawServer((socket) => {
    release = () => void socket.write(response("late"));
    asked.resolve();
  });
  const client = clientFor();
  const underWay = fetchOf(client, `${site.origin}/`);
  await asked.promise;
  const closed = Promise.all([client.close(), client.close()]);
  const refused = failed(await fetchOf(client, `${site.origin}/`));
  expect([refused.category, refused.requestSent]).toEqual(["cancelled", false]);
  release();
  expect(textOf(await underWay)).toBe("late");
  await closed;
  await site.closed(1);
});

test("destroy ends requests under way as cancelled", async () => {
  const asked = Promise.withResolvers<void>();
  await using site = await rawServer(() => asked.resolve());
  const client = clientFor();
  const underWay = client.fetch(requestOf(`${site.origin}/`), new AbortController().signal);
  await asked.promise;
  await client.destroy();
  const answer = failed(await underWay);
  expect([answer.category, answer.requestSent]).toEqual(["cancelled", true]);
  await site.closed(1);
});
