/** Bodies that cost more than they say. */
import { brotliCompressSync, constants, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { drips, floods, head, impatient, page, says, saysAndEnds, type Threat } from "./threat.ts";

const zeros = Buffer.alloc(64_000_000);
/** Each another one, and so long that the most that are kept of a page fill its limit. */
const links = Buffer.from(
  Array.from({ length: 200_000 }, (_, n) => `<a href=/${"directory/".repeat(6)}${n}>${n}</a>`).join(""),
);
const html = "Content-Type: text/html";
const megabyte = Buffer.alloc(1_000_000, "x");

const encoders = {
  gzip: (bytes: Uint8Array): Buffer => gzipSync(bytes),
  deflate: (bytes: Uint8Array): Buffer => deflateSync(bytes),
  // The largest window that the format has (RFC 7932 §9.1): the decoder has to keep as much.
  br: (bytes: Uint8Array): Buffer =>
    brotliCompressSync(bytes, {
      params: { [constants.BROTLI_PARAM_LGWIN]: 24, [constants.BROTLI_PARAM_QUALITY]: 5 },
    }),
  zstd: (bytes: Uint8Array): Buffer => zstdCompressSync(bytes),
} as const;

/** `bytes` coded `layers` times, with the header that says so. */
function coded(bytes: Uint8Array, codings: readonly (keyof typeof encoders)[]): Buffer {
  const body = codings.reduce<Uint8Array>((inner, coding) => encoders[coding](inner), bytes);
  return page(body, [`Content-Encoding: ${codings.join(", ")}`]);
}

const bombs = (Object.keys(encoders) as (keyof typeof encoders)[]).flatMap((coding): Threat[] => {
  const bytes = coded(zeros, [coding]);
  const row = "decompression bomb";
  return [
    { name: `bomb-${coding}`, row, respond: says(bytes), expected: { category: "ok", truncated: true } },
    {
      name: `bomb-${coding}-refused`,
      row,
      fetch: { onTooLarge: "refuse" },
      respond: says(bytes),
      expected: { category: "too_large", code: "BODY_TOO_LARGE" },
    },
  ];
});

export const bodyThreats: readonly Threat[] = [
  ...bombs,
  {
    name: "bomb-in-five-layers",
    row: "decompression bomb",
    respond: says(coded(zeros, ["gzip", "gzip", "deflate", "br", "zstd"])),
    expected: { category: "ok", truncated: true },
  },
  {
    name: "bomb-of-wide-text",
    row: "decompression bomb",
    // Not Latin-1: as text each octet takes two.
    respond: says(coded(Buffer.alloc(zeros.length, 0x80), ["gzip"])),
    expected: { category: "ok", truncated: true },
  },
  {
    name: "bomb-of-no-text",
    row: "decompression bomb",
    // Each octet becomes a U+FFFD.
    respond: says(
      page(gzipSync(Buffer.alloc(zeros.length, 0xff)), [
        "Content-Type: text/html; charset=utf-8",
        "Content-Encoding: gzip",
      ]),
    ),
    expected: { category: "ok", truncated: true },
  },
  {
    name: "bomb-of-links",
    row: "decompression bomb",
    respond: says(coded(links, ["gzip"])),
    expected: { category: "ok", truncated: true },
  },
  {
    name: "bomb-between-layers",
    row: "decompression bomb",
    // The inner gzip never begins to give a byte: what expands lies between the layers.
    respond: says(
      page(gzipSync(Buffer.concat([gzipSync("x").subarray(0, 10), zeros])), ["Content-Encoding: gzip, gzip"]),
    ),
    expected: { category: "decode" },
  },
  {
    name: "six-layers",
    row: "decompression bomb",
    respond: says(coded(Buffer.from("x"), ["gzip", "gzip", "gzip", "gzip", "gzip", "gzip"])),
    expected: { category: "decode", code: "TOO_MANY_CODINGS" },
  },
  {
    name: "coded-half",
    row: "decompression bomb",
    respond: says(page(gzipSync("<title>whole</title>").subarray(0, -9), ["Content-Encoding: gzip"])),
    expected: { category: "ok", truncated: true },
  },
  {
    name: "coded-garbage",
    row: "decompression bomb",
    respond: says(page("this is no gzip at all", ["Content-Encoding: gzip"])),
    expected: { category: "decode" },
  },
  {
    name: "coded-nothing-for-ever",
    row: "decompression bomb",
    // Empty members of gzip (RFC 1952 §2.2), one after the other: input without output.
    respond: floods(
      head("200 OK", [html, "Content-Encoding: gzip"]),
      Buffer.concat(Array.from({ length: 2_000 }, () => gzipSync(""))),
    ),
    expected: { category: "ok", truncated: true },
  },
  {
    name: "endless",
    row: "huge or endless body",
    respond: floods(head("200 OK", [html]), megabyte),
    expected: { category: "ok", truncated: true },
  },
  {
    name: "endless-chunked",
    row: "huge or endless body",
    respond: floods(
      head("200 OK", [html, "Transfer-Encoding: chunked"]),
      Buffer.concat([Buffer.from("f4240\r\n"), megabyte, Buffer.from("\r\n")]),
    ),
    expected: { category: "ok", truncated: true },
  },
  {
    name: "endless-refused",
    row: "huge or endless body",
    fetch: { onTooLarge: "refuse" },
    respond: floods(head("200 OK", [html]), megabyte),
    expected: { category: "too_large" },
  },
  {
    name: "endless-one-byte-chunks",
    row: "huge or endless body",
    respond: floods(
      head("200 OK", [html, "Transfer-Encoding: chunked"]),
      Buffer.from("1\r\nx\r\n".repeat(10_000)),
    ),
    expected: { category: "ok", truncated: true },
  },
  {
    name: "endless-error-page",
    row: "huge or endless body",
    respond: floods(head("404 Not Found", [html]), megabyte),
    expected: { category: "http_4xx", truncated: true },
  },
  {
    name: "endless-unwanted",
    row: "huge or endless body",
    fetch: { contentTypes: ["text/html"] },
    respond: floods(head("200 OK", ["Content-Type: video/mp4"]), megabyte),
    expected: { category: "ok", truncated: false },
  },
  {
    name: "drop-by-drop",
    row: "slow body or header",
    fetch: impatient,
    respond: drips(head("200 OK", [html]), "x", 50),
    expected: { category: "timeout_total" },
  },
  {
    name: "drop-by-drop-chunked",
    row: "slow body or header",
    fetch: impatient,
    respond: drips(head("200 OK", [html, "Transfer-Encoding: chunked"]), "1\r\nx\r\n", 50),
    expected: { category: "timeout_total" },
  },
  {
    name: "stalled-body",
    row: "slow body or header",
    fetch: impatient,
    respond: says(Buffer.concat([head("200 OK", [html, "Content-Length: 100"]), Buffer.from("half")])),
    expected: { category: "timeout_total" },
  },
  {
    name: "silent",
    row: "slow body or header",
    fetch: impatient,
    respond: () => undefined,
    expected: { category: "timeout_total" },
  },
  {
    name: "header-drop-by-drop",
    row: "slow body or header",
    fetch: impatient,
    respond: drips("HTTP/1.1 200 OK\r\nX-Slow: ", "x", 50),
    expected: { category: "timeout_total" },
  },
  {
    name: "status-line-drop-by-drop",
    row: "slow body or header",
    fetch: impatient,
    respond: drips("HTTP/1.1 200 ", "O", 50),
    expected: { category: "timeout_total" },
  },
  {
    name: "interim-for-ever-slowly",
    row: "slow body or header",
    fetch: impatient,
    respond: drips("", "HTTP/1.1 103 Early Hints\r\n\r\n", 50),
    expected: { category: "timeout_total" },
  },
  {
    name: "length-too-long",
    row: "lying length",
    respond: saysAndEnds(
      Buffer.concat([head("200 OK", [html, "Content-Length: 1000"]), Buffer.from("short")]),
    ),
    expected: { category: "reset" },
  },
  {
    name: "length-absurd",
    row: "lying length",
    respond: saysAndEnds(
      Buffer.concat([head("200 OK", [html, "Content-Length: 9007199254740991"]), Buffer.from("x")]),
    ),
    expected: { category: "reset" },
  },
  {
    name: "length-beyond-numbers",
    row: "lying length",
    respond: saysAndEnds(head("200 OK", [html, `Content-Length: ${"9".repeat(40)}`])),
    expected: { category: "reset" },
  },
  {
    name: "length-too-short",
    row: "lying length",
    respond: says(
      Buffer.concat([
        head("200 OK", [html, "Content-Length: 16"]),
        Buffer.from("<title>a</title>HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"),
      ]),
    ),
    expected: { category: "ok", title: "a" },
  },
  {
    name: "length-negative",
    row: "lying length",
    respond: says(head("200 OK", [html, "Content-Length: -1"])),
    expected: { category: "protocol" },
  },
  {
    name: "length-twice",
    row: "lying length",
    respond: says(
      Buffer.concat([head("200 OK", ["Content-Length: 4", "Content-Length: 5"]), Buffer.from("x")]),
    ),
    expected: { category: "reset" },
  },
  {
    name: "length-and-chunks",
    row: "lying length",
    respond: says(
      Buffer.concat([
        head("200 OK", ["Content-Length: 4", "Transfer-Encoding: chunked"]),
        Buffer.from("1\r\nx\r\n0\r\n\r\n"),
      ]),
    ),
    expected: { category: "reset" },
  },
  {
    name: "length-in-words",
    row: "lying length",
    respond: says(head("200 OK", [html, "Content-Length: ten"])),
    expected: { category: "protocol" },
  },
];
