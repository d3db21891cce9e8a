import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { expect, test } from "vitest";
import type { FetchRequest } from "../src/index.ts";
import { clientFor, failed, fetchOf, rawServer, responded, response, server200, textOf } from "./loopback.ts";

const head = "HTTP/1.1 200 OK\r\n";

test("gives status, header, body and measures of a plain page", async () => {
  await using site = await server200("<p>hi</p>", [
    "Content-Type: text/html",
    "X-A: 1",
    "x-a: 2",
    "Set-Cookie: a=1",
    "Set-Cookie: b=2, c",
  ]);
  await using client = clientFor();
  const answer = responded(await fetchOf(client, `${site.origin}/p?q=1#f`));
  expect(answer).toMatchObject({
    status: 200,
    headers: { "content-type": "text/html", "x-a": "1, 2", "content-length": "9" },
    setCookies: ["a=1", "b=2, c"],
    truncated: false,
    bodySkipped: false,
    bodyBytes: 9,
    wireBytes: 9,
    remoteAddress: "127.0.0.1",
    location: null,
    httpVersion: "1.1",
  });
  expect(answer.headers["set-cookie"]).toBeUndefined();
  expect(Buffer.from(answer.body).toString()).toBe("<p>hi</p>");
  expect(answer.body.buffer.byteLength).toBe(9);
  expect(answer.ttfbMs).toBeGreaterThanOrEqual(0);
  expect(answer.durationMs).toBeGreaterThanOrEqual(answer.ttfbMs);
});

test("says who it is, asks for codings it can read, and makes no conditional request", async () => {
  await using site = await server200("ok");
  await using client = clientFor();
  await fetchOf(client, `http://user:pass@127.0.0.1:${site.port}/`, {
    headers: {
      "Accept-Language": "bg",
      "X-Own": "1",
      Host: "evil.test",
      Connection: "upgrade",
      "Content-Length": "5",
    },
  });
  const lines = (site.requests[0] ?? "").split("\r\n");
  expect(lines[0]).toBe("GET / HTTP/1.1");
  expect(lines.slice(1).toSorted()).toEqual([
    "accept-encoding: gzip, deflate, br, zstd",
    "accept-language: bg",
    "accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.5",
    "connection: keep-alive",
    `host: 127.0.0.1:${site.port}`,
    "user-agent: sluice-test/1.0 (+http://sluice.test/bot)",
    "x-own: 1",
  ]);
});

test("answers a redirect with its location as sent and never follows it", async () => {
  await using target = await server200("target");
  await using site = await rawServer((socket) =>
    socket.write(response("moved", [`Location: ${target.origin}/private`], "302 Found")),
  );
  await using client = clientFor();
  const answer = responded(await fetchOf(client, `${site.origin}/`));
  expect([answer.status, answer.location]).toEqual([302, `${target.origin}/private`]);
  expect([site.requests.length, target.accepted]).toEqual([1, 0]);
});

test("reads a location of raw UTF-8 as such and other bytes as Latin-1", async () => {
  await using site = await rawServer((socket, _head, index) => {
    const path = index === 0 ? Buffer.from("/café") : Buffer.from("/café", "latin1");
    socket.write(
      Buffer.concat([
        Buffer.from("HTTP/1.1 301 M\r\nContent-Length: 0\r\nLocation: "),
        path,
        Buffer.from("\r\n\r\n"),
      ]),
    );
  });
  await using client = clientFor();
  expect(responded(await fetchOf(client, site.origin)).location).toBe("/café");
  expect(responded(await fetchOf(client, site.origin)).location).toBe("/café");
});

test("a field named __proto__ is a field and pollutes nothing", async () => {
  await using site = await server200("ok", ["__proto__: polluted", "constructor: c"]);
  await using client = clientFor();
  const answer = responded(await fetchOf(client, site.origin));
  expect(Object.entries(answer.headers)).toContainEqual(["__proto__", "polluted"]);
  expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
});

test("skips interim responses", async () => {
  const interim = Buffer.from("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
  const final = response("final", ["Content-Type: text/html"]);
  await using site = await rawServer((socket) => socket.write(Buffer.concat([interim, interim, final])));
  await using client = clientFor();
  const answer = await fetchOf(client, site.origin, { acceptTypes: (type) => type === "text/html" });
  expect([textOf(answer), responded(answer).headers["link"]]).toEqual(["final", undefined]);
});

test("takes a header of 15 KiB", async () => {
  await using site = await server200("ok", [`X-Long: ${"x".repeat(15_360)}`]);
  await using client = clientFor();
  expect(responded(await fetchOf(client, site.origin)).headers["x-long"]).toHaveLength(15_360);
});

test("reads no body whose type is not wanted, and says so", async () => {
  await using site = await rawServer((socket) =>
    socket.write(`${head}Content-Type: video/mp4\r\nContent-Length: 9999\r\n\r\nabc`),
  );
  await using client = clientFor();
  const seen: (string | null)[] = [];
  const acceptTypes = (type: string | null): boolean => (seen.push(type), false);
  const answer = responded(await fetchOf(client, site.origin, { acceptTypes }));
  expect([answer.bodySkipped, answer.truncated, answer.bodyBytes, answer.status]).toEqual([
    true,
    false,
    0,
    200,
  ]);
  expect(seen).toEqual(["video/mp4"]);
  await site.closed(1);
});

test("a port that nobody listens on is a failure of kind connect", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  await using client = clientFor();
  const answer = failed(await fetchOf(client, `http://127.0.0.1:${port}/`));
  expect([answer.category, answer.code, answer.requestSent]).toEqual(["connect", "ECONNREFUSED", false]);
  expect(client.connections).toMatchObject({ busy: 0, idle: 0 });
});

test("a name that does not resolve, or resolves to nothing, is a failure of kind dns with the resolver's code", async () => {
  await using client = clientFor();
  const answer = failed(await fetchOf(client, "http://nowhere.test/"));
  expect([answer.category, answer.code, answer.requestSent]).toEqual(["dns", "ENOTFOUND", false]);
  await using empty = clientFor({ resolveHost: () => Promise.resolve({ addresses: [], ttlMs: null }) });
  expect(failed(await fetchOf(empty, "http://nowhere.test/"))).toMatchObject({
    category: "dns",
    code: "ENODATA",
  });
});

test("a resolver that never answers ends as timeout_connect", async () => {
  await using client = clientFor({ resolveHost: () => new Promise(() => undefined) });
  const answer = failed(await fetchOf(client, "http://slow.test/", { connectTimeoutMs: 100 }));
  expect([answer.category, answer.code]).toEqual(["timeout_connect", "UND_ERR_CONNECT_TIMEOUT"]);
  expect(answer.message).toContain("(dns)");
});

test("a TLS handshake that never ends is timeout_connect and frees the socket", async () => {
  await using site = await rawServer(() => undefined);
  await using client = clientFor();
  const answer = failed(await fetchOf(client, `https://127.0.0.1:${site.port}/`, { connectTimeoutMs: 200 }));
  expect([answer.category, answer.requestSent]).toEqual(["timeout_connect", false]);
  expect(answer.message).toContain("(tls)");
  await site.closed(1);
});

test.each<[string, Partial<FetchRequest>, string, string]>([
  ["no byte of an answer", { headersTimeoutMs: 200 }, "", "timeout_headers"],
  ["a header that stops in the middle", { headersTimeoutMs: 200 }, `${head}X: `, "timeout_headers"],
  [
    "a body that stops in the middle",
    { bodyTimeoutMs: 200 },
    `${head}Content-Length: 10\r\n\r\nabc`,
    "timeout_body",
  ],
  ["no byte, with a short total", { totalTimeoutMs: 200 }, "", "timeout_total"],
])("%s is %j", async (_name, limits, bytes, category) => {
  await using site = await rawServer((socket) => socket.write(bytes));
  await using client = clientFor();
  const answer = failed(await fetchOf(client, site.origin, limits));
  expect([answer.category, answer.requestSent]).toEqual([category, true]);
  await site.closed(1);
});

test("a body that comes drop by drop ends at the total deadline, not at its own end", async () => {
  await using site = await rawServer((socket) => {
    socket.write(`${head}Content-Length: 1000000\r\n\r\n`);
    const drops = setInterval(() => socket.write("x"), 20);
    socket.on("close", () => clearInterval(drops));
  });
  await using client = clientFor();
  const answer = failed(await fetchOf(client, site.origin, { totalTimeoutMs: 400, bodyTimeoutMs: 10_000 }));
  expect([answer.category, answer.code]).toEqual(["timeout_total", "TOTAL_TIMEOUT"]);
  await site.closed(1);
});

test.each<[string, string, string]>([
  ["closes without an answer", "", "UND_ERR_SOCKET"],
  ["closes in the header", `${head}X-A: b\r\n`, "UND_ERR_SOCKET"],
  ["closes before the length it promised", `${head}Content-Length: 10\r\n\r\nabc`, "UND_ERR_SOCKET"],
  ["closes in a chunk", `${head}Transfer-Encoding: chunked\r\n\r\nff\r\nabc`, "UND_ERR_SOCKET"],
  [
    "says it will close, and does so in a chunk",
    `${head}Connection: close\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nabc`,
    "HTTPParserError",
  ],
  [
    "says it will close, and does so before the length it promised",
    `${head}Connection: close\r\nContent-Length: 10\r\n\r\nabc`,
    "UND_ERR_RES_CONTENT_LENGTH_MISMATCH",
  ],
  // undici's one code for a wrong length covers this too; told apart or not, it is never a page.
  [
    "promises two lengths",
    `${head}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd`,
    "UND_ERR_RES_CONTENT_LENGTH_MISMATCH",
  ],
])("a host that %s is a reset", async (_name, bytes, code) => {
  await using site = await rawServer((socket) => socket.end(bytes));
  await using client = clientFor();
  const answer = failed(await fetchOf(client, site.origin));
  expect([answer.category, answer.code, answer.requestSent]).toEqual(["reset", code, true]);
});

test("a TCP reset is a reset", async () => {
  await using site = await rawServer((socket) => socket.resetAndDestroy());
  await using client = clientFor();
  expect(failed(await fetchOf(client, site.origin))).toMatchObject({ category: "reset", code: "ECONNRESET" });
});

test("a body without a length ends with the connection", async () => {
  await using site = await rawServer((socket) => socket.end(`${head}\r\nall of it`));
  await using client = clientFor();
  expect(textOf(await fetchOf(client, site.origin))).toBe("all of it");
});

const cookies = Array.from({ length: 10_000 }, (_, n) => `Set-Cookie: c${n}=1\r\n`).join("");
test.each<[string, string]>([
  ["not HTTP", "SSH-2.0-OpenSSH_9.6\r\n\r\n"],
  ["a megabyte of header", `${head}X-Big: ${"x".repeat(1_000_000)}\r\n\r\n`],
  ["a header of 17 KiB", `${head}X-Long: ${"x".repeat(17_408)}\r\nContent-Length: 0\r\n\r\n`],
  ["ten thousand cookies", `${head}${cookies}\r\n`],
  ["a status line of a megabyte", `HTTP/1.1 200 ${"O".repeat(1_000_000)}\r\nContent-Length: 0\r\n\r\n`],
  ["a long status line", `HTTP/1.1 200 ${"O".repeat(8_000)}\r\nContent-Length: 0\r\n\r\n`],
  [
    "an upgrade nobody asked for",
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
  ],
  ["100 Continue unasked", "HTTP/1.1 100 Continue\r\n\r\n"],
  ["a bad chunk size", `${head}Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n`],
  ["a control character in a field name", `${head}a\u0000b: c\r\n\r\n`],
])("%s is a protocol failure, and the connection is not used again", async (_name, bytes) => {
  await using site = await rawServer((socket) => socket.write(Buffer.from(bytes, "latin1")));
  await using client = clientFor();
  const answer = failed(await fetchOf(client, site.origin));
  expect([answer.category, answer.requestSent]).toEqual(["protocol", true]);
  expect(answer.code).not.toBe("");
  await site.closed(1);
  expect(client.connections).toMatchObject({ busy: 0, idle: 0 });
});

test("an endless body is cut at the limit and its connection closed", async () => {
  await using site = await rawServer((socket) => {
    socket.write(`${head}\r\n`);
    const block = Buffer.alloc(65_536, 0x61);
    const pour = (): void => {
      while (!socket.destroyed && socket.write(block));
    };
    socket.on("drain", pour);
    pour();
  });
  await using client = clientFor();
  const cut = responded(await fetchOf(client, site.origin, { bodyBytesMax: 100_000 }));
  expect([cut.truncated, cut.bodyBytes, cut.body.buffer.byteLength]).toEqual([true, 100_000, 100_000]);
  expect(cut.wireBytes).toBeLessThan(300_000);
  await site.closed(1);
  const refused = failed(await fetchOf(client, site.origin, { bodyBytesMax: 100_000, onTooLarge: "refuse" }));
  expect([refused.category, refused.code]).toEqual(["too_large", "BODY_TOO_LARGE"]);
  await site.closed(2);
});

test("a body of exactly the limit is whole; one byte more is not", async () => {
  await using exact = await server200("x".repeat(1_000));
  await using more = await server200("x".repeat(1_001));
  await using client = clientFor();
  for (const onTooLarge of ["truncate", "refuse"] as const) {
    const whole = responded(await fetchOf(client, exact.origin, { bodyBytesMax: 1_000, onTooLarge }));
    expect([whole.truncated, whole.bodyBytes]).toEqual([false, 1_000]);
  }
  expect(responded(await fetchOf(client, more.origin, { bodyBytesMax: 1_000 })).truncated).toBe(true);
  expect(
    failed(await fetchOf(client, more.origin, { bodyBytesMax: 1_000, onTooLarge: "refuse" })).category,
  ).toBe("too_large");
});

test("a body of a hundred thousand one-byte chunks comes whole", async () => {
  const count = 100_000;
  await using site = await rawServer((socket) =>
    socket.write(`${head}Transfer-Encoding: chunked\r\n\r\n${"1\r\nx\r\n".repeat(count)}0\r\n\r\n`),
  );
  await using client = clientFor();
  const answer = responded(await fetchOf(client, site.origin));
  expect([answer.bodyBytes, answer.truncated, answer.body.buffer.byteLength]).toEqual([count, false, count]);
});

test("an aborted fetch is cancelled at once and the server sees its socket closed", async () => {
  const asked = Promise.withResolvers<void>();
  await using site = await rawServer((socket) => {
    socket.write(`${head}Content-Length: 100\r\n\r\nabc`);
    asked.resolve();
  });
  await using client = clientFor();
  const abort = new AbortController();
  const fetched = fetchOf(client, site.origin, {}, abort.signal);
  await asked.promise;
  abort.abort();
  const answer = failed(await fetched);
  expect([answer.category, answer.code, answer.requestSent]).toEqual(["cancelled", "ABORT_ERR", true]);
  await site.closed(1);
  expect(client.connections.busy).toBe(0);
});

test("a fetch aborted while it connects is cancelled, its attempt ended", async () => {
  const accepted = Promise.withResolvers<void>();
  await using site = await rawServer(
    () => undefined,
    "127.0.0.1",
    (onSocket) =>
      createServer((socket) => {
        onSocket(socket);
        accepted.resolve();
      }),
  );
  await using client = clientFor();
  const abort = new AbortController();
  const fetched = fetchOf(client, `https://127.0.0.1:${site.port}/`, {}, abort.signal);
  await accepted.promise;
  abort.abort();
  expect(failed(await fetched)).toMatchObject({ category: "cancelled", requestSent: false });
  await site.closed(1);
});

test("a signal that is already aborted opens no connection", async () => {
  await using site = await server200("ok");
  await using client = clientFor();
  expect(failed(await fetchOf(client, site.origin, {}, AbortSignal.abort())).category).toBe("cancelled");
  expect(site.accepted).toBe(0);
});

test("what is not http or https, and what is no URL, is refused as a value", async () => {
  await using client = clientFor();
  expect(failed(await fetchOf(client, "ftp://127.0.0.1/"))).toMatchObject({
    category: "protocol",
    code: "UNSUPPORTED_SCHEME",
  });
  expect(failed(await fetchOf(client, "/relative"))).toMatchObject({
    category: "unknown",
    code: "ERR_INVALID_URL",
  });
});

test("a header that can't be sent is a failure, not a rejection, and injects nothing", async () => {
  await using site = await server200("ok");
  await using client = clientFor();
  const answer = failed(await fetchOf(client, site.origin, { headers: { "x-a": "1\r\nx-b: 2" } }));
  expect([answer.category, answer.code, answer.requestSent]).toEqual([
    "unknown",
    "UND_ERR_INVALID_ARG",
    false,
  ]);
  expect(site.requests).toEqual([]);
  expect(client.connections).toMatchObject({ busy: 0, idle: 0 });
});

test("where memory of bodies is short, those that come slowly are given up and quick ones are not", async () => {
  const open: Socket[] = [];
  await using site = await rawServer((socket, head) => {
    if (head.includes("/quick")) return void socket.write(response("q".repeat(50_000)));
    open.push(socket);
    return void socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 40001\r\n\r\n${"s".repeat(40_000)}`);
  });
  let nowMs = 0;
  await using client = clientFor({ bodiesBytesMax: 60_000, monotonicMs: () => nowMs });
  const slow = [1, 2].map((n) => fetchOf(client, `${site.origin}/slow/${n}`));
  await expect.poll(() => client.bodies.bytes, { timeout: 30_000 }).toBe(80_002);
  nowMs = 2_001;
  expect(textOf(await fetchOf(client, `${site.origin}/quick`)).length).toBe(50_000);
  open[0]?.write("s");
  const given = failed(await Promise.race(slow));
  expect([given.category, given.code]).toEqual(["timeout_body", "MEMORY_SHORT"]);
  // There is room again: the other one may go on.
  open[1]?.write("s");
  const [first, second] = await Promise.all(slow);
  expect([first, second].filter((answer) => answer?.kind === "response").length).toBe(1);
  expect(client.bodies).toEqual({ bytes: 0, bytesMax: 60_000 });
});
