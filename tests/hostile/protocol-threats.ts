/** What is no HTTP, or far too much of it. */
import { floods, head, impatient, page, says, saysAndEnds, type Threat } from "./threat.ts";

const chunked = ["Content-Type: text/html", "Transfer-Encoding: chunked"];
const body = (text: string): Buffer => Buffer.concat([head("200 OK", chunked), Buffer.from(text, "latin1")]);

const floodOfHeaders: readonly Threat[] = [
  ["one-large-field", page("x", [`X-Large: ${"y".repeat(1_000_000)}`])],
  [
    "ten-thousand-cookies",
    page(
      "x",
      Array.from({ length: 10_000 }, (_, n) => `Set-Cookie: c${n}=${n}`),
    ),
  ],
  ["long-status-line", page("x", [], `200 ${"O".repeat(200_000)}`)],
  ["long-field-name", page("x", [`${"n".repeat(65_536)}: v`])],
  ["many-interim-responses", `${"HTTP/1.1 100 Continue\r\n\r\n".repeat(10_000)}HTTP/1.1 200 OK\r\n\r\n`],
].map(([name, bytes]) => ({
  name: String(name),
  row: "header flood",
  respond: saysAndEnds(bytes ?? ""),
  expected: { category: "protocol" },
}));

/** Answers that are cut off after the bytes; the parser has to say what is wrong with them. */
const malformed: Readonly<Record<string, string | Buffer>> = {
  "no-http": "SSH-2.0-OpenSSH_9.6\r\n\r\n",
  garbage: Buffer.from([0, 1, 2, 3, 0xff, 0xfe, 0x0d, 0x0a, 0x0d, 0x0a]),
  "http-09": "<html>a page without a header</html>\r\n\r\n",
  "version-99": "HTTP/9.9 200 OK\r\n\r\n",
  "version-text": "HTTP/x.y 200 OK\r\n\r\n",
  "status-text": "HTTP/1.1 OK 200\r\n\r\n",
  "status-short": "HTTP/1.1 20 OK\r\n\r\n",
  "null-in-field": "HTTP/1.1 200 OK\r\nX-A: a\0b\r\n\r\n",
  "no-colon": "HTTP/1.1 200 OK\r\nthis is no field\r\n\r\n",
  "space-before-colon": "HTTP/1.1 200 OK\r\nContent-Length : 1\r\n\r\nx",
  "bare-carriage-return": "HTTP/1.1 200 OK\r\nX-A: a\rX-B: b\r\n\r\n",
  "chunk-size-text": body("zz\r\nx\r\n0\r\n\r\n"),
  "chunk-size-overflow": body("fffffffffffffffff\r\nx\r\n"),
  "chunk-size-negative": body("-1\r\nx\r\n"),
  "chunk-without-end": body("3\r\nabcdef\r\n0\r\n\r\n"),
};

const malformedThreats = Object.entries(malformed).map(([name, bytes]): Threat => ({
  name,
  row: "malformed HTTP",
  respond: saysAndEnds(bytes),
  expected: { category: "protocol" },
}));

const schemes = [
  "file:///etc/passwd",
  "ftp://127.0.0.1/",
  "data:text/html,<a href=x>",
  "javascript:alert(1)",
  "gopher://127.0.0.1:6379/_FLUSHALL",
  "about:blank",
  "blob:http://a/b",
  "ws://127.0.0.1/",
  "mailto:a@b.c",
  "view-source:http://127.0.0.1/",
  "http://",
  "//",
];
const redirects = [301, 302, 303, 307, 308].flatMap((status) =>
  schemes.map((location, index): Threat => ({
    name: `redirect-${status}-${index}`,
    row: "redirect",
    respond: says(page("", [`Location: ${location}`], `${status} Moved`)),
    expected: { category: "redirect", links: 0 },
  })),
);

export const protocolThreats: readonly Threat[] = [
  ...floodOfHeaders,
  {
    name: "header-without-end",
    row: "header flood",
    respond: floods("HTTP/1.1 200 OK\r\n", `X-A: ${"a".repeat(1_000)}\r\n`),
    expected: { category: "protocol" },
  },
  {
    name: "blank-lines-for-ever",
    row: "header flood",
    fetch: impatient,
    respond: floods("", "\r\n".repeat(30_000)),
    expected: { category: "protocol", code: "HEAD_TOO_LARGE" },
  },
  {
    name: "status-line-for-ever",
    row: "header flood",
    fetch: impatient,
    respond: floods("HTTP/1.1 200 ", "O".repeat(60_000)),
    expected: { category: "protocol", code: "HEAD_TOO_LARGE" },
  },
  {
    name: "interim-for-ever",
    row: "header flood",
    respond: floods("", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".repeat(100)),
    expected: { category: "protocol" },
  },
  {
    name: "trailers-without-end",
    row: "header flood",
    fetch: impatient,
    respond: floods(body("1\r\nx\r\n0\r\n"), `X-T: ${"t".repeat(1_000)}\r\n`),
    expected: { category: "protocol" },
  },
  {
    name: "chunk-extension-without-end",
    row: "header flood",
    fetch: impatient,
    respond: floods(body("1"), `;e=${"e".repeat(1_000)}`),
    expected: { category: "protocol" },
  },
  ...malformedThreats,
  {
    name: "hangs-up",
    row: "malformed HTTP",
    respond: (socket) => void socket.end(),
    expected: { category: "reset" },
  },
  {
    name: "resets",
    row: "malformed HTTP",
    respond: (socket) => void socket.resetAndDestroy(),
    expected: { category: "reset" },
  },
  {
    name: "resets-in-the-body",
    row: "malformed HTTP",
    respond: (socket) => {
      socket.write(head("200 OK", ["Content-Length: 100"]));
      setTimeout(() => socket.resetAndDestroy(), 20);
    },
    expected: { category: "reset" },
  },
  {
    name: "switches-protocols",
    row: "malformed HTTP",
    respond: says("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"),
    expected: { category: "protocol" },
  },
  {
    name: "body-where-none-is",
    row: "malformed HTTP",
    respond: says("HTTP/1.1 204 No Content\r\n\r\n<title>no</title>"),
    expected: { category: "ok", title: null },
  },
  {
    name: "speaks-before-it-is-asked",
    row: "malformed HTTP",
    respond: says(Buffer.concat([page("<title>first</title>"), page("<title>second</title>")])),
    expected: { category: "ok", title: "first" },
  },
  ...redirects,
  {
    name: "plain-instead-of-tls",
    row: "TLS",
    scheme: "https",
    fetch: impatient,
    respond: () => undefined,
    expected: { category: "timeout_connect" },
  },
];
