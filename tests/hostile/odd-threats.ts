/** What no standard allows for, or allows and nobody expects. */
import { gzipSync, zstdCompressSync } from "node:zlib";
import { floods, head, impatient, page, says, saysAndEnds, type Threat, type ThreatRow } from "./threat.ts";

const html = "Content-Type: text/html";
const title = "<title>a</title>";
const packed = gzipSync(title);

function odd(
  row: ThreatRow,
  expected: Threat["expected"],
  answers: Readonly<Record<string, Buffer | string>>,
): readonly Threat[] {
  return Object.entries(answers).map(([name, bytes]) => ({
    name,
    row,
    respond: saysAndEnds(bytes),
    expected,
  }));
}

const chunked = (body: string | Buffer, coding = "chunked"): Buffer =>
  Buffer.concat([head("200 OK", [html, `Transfer-Encoding: ${coding}`]), Buffer.from(body)]);
const chunk = (body: string): string => `${body.length.toString(16)}\r\n${body}\r\n`;
/** Skippable frames (RFC 8878 §3.1.2): input without output. */
const skippable = Buffer.concat([Buffer.from([0x50, 0x2a, 0x4d, 0x18, 0, 0x10, 0, 0]), Buffer.alloc(4_096)]);
/** A frame that wants 4 GiB to look back (RFC 8878 §3.1.1.1.2). */
const wideZstd = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xb0, 0x01, 0x00, 0x00]);
/** A gzip header whose file name has no end (RFC 1952 §2.3). */
const endlessName = Buffer.from([0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 3]);
/** SETTINGS and GOAWAY of HTTP/2 (RFC 9113 §6.5, §6.8). */
const http2 = Buffer.from("0000000400000000000000080700000000000000000000000001", "hex");

export const oddThreats: readonly Threat[] = [
  ...odd(
    "decompression bomb",
    { category: "decode" },
    {
      "coded-as-another": page(packed, ["Content-Encoding: br"]),
      "coded-as-zstd": page(packed, ["Content-Encoding: zstd"]),
      "coded-zstd-with-a-wide-window": page(wideZstd, ["Content-Encoding: zstd"]),
      "coded-with-garbage-behind": page(Buffer.concat([packed, Buffer.alloc(1_000, 7)]), [
        "Content-Encoding: gzip",
      ]),
      "coded-twice-told-once-more": page(packed, ["Content-Encoding: gzip, gzip"]),
    },
  ),
  ...odd(
    "decompression bomb",
    { category: "ok", title: "a" },
    {
      "coded-by-nothing-often": page(title, [`Content-Encoding: ${"identity,".repeat(1_000)}`]),
      "coded-with-commas": page(packed, [`Content-Encoding: ${",".repeat(5_000)}GZip${" ,".repeat(1_000)}`]),
      "coded-in-members": page(Buffer.concat([gzipSync("<title>"), gzipSync("a</title>")]), [
        "Content-Encoding: gzip",
      ]),
      "coded-zstd-in-frames": page(Buffer.concat([skippable, zstdCompressSync(title)]), [
        "Content-Encoding: zstd",
      ]),
    },
  ),
  {
    name: "coded-name-for-ever",
    row: "decompression bomb",
    respond: floods(
      Buffer.concat([head("200 OK", [html, "Content-Encoding: gzip"]), endlessName]),
      Buffer.alloc(60_000, 97),
    ),
    expected: { category: "ok", truncated: true },
  },
  {
    name: "coded-zstd-frames-for-ever",
    row: "decompression bomb",
    respond: floods(head("200 OK", [html, "Content-Encoding: zstd"]), skippable),
    expected: { category: "ok", truncated: true },
  },
  ...odd(
    "lying length",
    { category: "ok", title: "a" },
    {
      "trailers-of-a-header": chunked(
        `${chunk(title)}0\r\nLocation: http://x/\r\nSet-Cookie: a=b\r\nX: ${"x".repeat(9_000)}\r\n\r\n`,
      ),
    },
  ),
  ...odd(
    "lying length",
    { category: "reset" },
    {
      "length-twice-the-same": page(title, [`Content-Length: ${title.length}`]),
      "length-list": Buffer.concat([head("200 OK", [html, "Content-Length: 16, 16"]), Buffer.from(title)]),
    },
  ),
  ...odd(
    "lying length",
    { category: "protocol" },
    {
      "length-with-a-sign": Buffer.concat([
        head("200 OK", [html, "Content-Length: +16"]),
        Buffer.from(title),
      ]),
      "length-in-hex": Buffer.concat([head("200 OK", [html, "Content-Length: 0x10"]), Buffer.from(title)]),
      "length-in-trailers": chunked(`${chunk(title)}0\r\nContent-Length: 9\r\n\r\n`),
    },
  ),
  ...odd(
    "malformed HTTP",
    { category: "protocol" },
    {
      "http-2-frames": http2,
      "http-2-status-line": `HTTP/2 200 OK\r\n\r\n${title}`,
      "field-name-with-control": `HTTP/1.1 200 OK\r\nX\u0001: a\r\n\r\n`,
      "status-099": "HTTP/1.1 099 Low\r\nContent-Length: 0\r\n\r\n",
      "redirect-to-control-characters": page("", ["Location: \u0001\u0002"], "302 Found"),
    },
  ),
  ...odd(
    "malformed HTTP",
    { category: "http_5xx" },
    {
      "status-999": "HTTP/1.1 999 High\r\nContent-Length: 0\r\n\r\n",
    },
  ),
  ...odd("redirect", { category: "redirect" }, { "not-modified": head("304 Not Modified", [html]) }),
  ...odd(
    "malformed HTTP",
    { category: "ok", title: "a" },
    {
      "keep-alive-for-ever": page(title, [
        "Keep-Alive: timeout=999999999999, max=0",
        "Connection: keep-alive, close",
      ]),
      "keep-alive-for-nothing": page(title, ["Keep-Alive: timeout=0"]),
      "keep-alive-in-words": page(title, ["Keep-Alive: timeout=-1;;;=,,timeout"]),
      "alt-svc": page(title, [
        'Alt-Svc: h3="169.254.169.254:443"; ma=99999999999',
        "Strict-Transport-Security: max-age=-1",
      ]),
      "upgrade-that-nobody-asked": page(title, ["Upgrade: h2c", "Connection: Upgrade"]),
      "type-as-long-as-it-goes": page(title, [
        `Content-Type: text/html; ${"a=b;".repeat(3_000)}charset=utf-8`,
      ]),
      "field-of-other-octets": Buffer.concat([
        head("200 OK", [html, `X-A: ${"\u00ff\u0080".repeat(3_000)}`, `Content-Length: ${title.length}`]),
        Buffer.from(title),
      ]),
      "cookies-as-many-as-fit": page(
        title,
        Array.from({ length: 900 }, (_, n) => `Set-Cookie: ${n}=`),
      ),
      "chunked-twice": chunked(`${chunk(title)}0\r\n\r\n`, "chunked, chunked"),
      "chunked-and-not": chunked(`${chunk(title)}0\r\n\r\n`, "chunked, identity"),
      "fields-of-objects": page(title, [
        "__proto__: a",
        "constructor: b",
        "toString: c",
        "hasOwnProperty: d",
      ]),
    },
  ),
  {
    name: "chunk-size-of-zeros",
    row: "malformed HTTP",
    fetch: impatient,
    respond: floods(chunked(""), "0".repeat(60_000)),
    expected: { category: "protocol" },
  },
  {
    name: "gzip-as-transfer-coding",
    row: "malformed HTTP",
    respond: saysAndEnds(chunked(`${packed.length.toString(16)}\r\n`, "gzip, chunked")),
    expected: { category: "reset" },
  },
  ...[
    "http://user:secret@host.test/",
    "http://[::ffff:169.254.169.254]/",
    "\t/x\t",
    `/${"a".repeat(15_000)}`,
    "http://a:99999999/",
    "http://ex%00ample.test/",
    "//////",
    "?",
    "#",
    "\\\\169.254.169.254\\x",
  ].map((location, index): Threat => ({
    name: `redirect-odd-${index}`,
    row: "redirect",
    respond: says(page("", [`Location: ${location}`], "302 Found")),
    expected: { category: "redirect", links: 0 },
  })),
  {
    name: "redirect-to-nowhere-and-twice",
    row: "redirect",
    respond: says(
      page("", ["Location: ", "Location: http://b.test/", "Refresh: 0; url=file:///etc/passwd"], "301 Moved"),
    ),
    expected: { category: "redirect", links: 0 },
  },
  ...[
    "99999999999999999999",
    "-1",
    "1e9",
    "Infinity",
    "Fri, 31 Dec 9999 23:59:59 GMT",
    "0x10",
    " , ,",
    "\u00ff",
  ].map((value, index): Threat => ({
    name: `retry-after-${index}`,
    row: "malformed HTTP",
    respond: says(page("", [`Retry-After: ${value}`], "503 Busy")),
    expected: { category: "http_5xx" },
  })),
];
