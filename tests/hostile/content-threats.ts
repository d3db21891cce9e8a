/** Documents that cost a reader time, memory or its mind. */
import { page, says, type Threat } from "./threat.ts";

const bytesOf = (...values: readonly number[]): Buffer => Buffer.from(values);
const typed = (type: string): readonly string[] => [`Content-Type: ${type}`];

const charsets: readonly Threat[] = (
  [
    ["utf-7", page("<title>+ADw-script+AD4-</title>", typed("text/html; charset=utf-7"))],
    ["unknown", page("<title>x</title>", typed("text/html; charset=klingon-8"))],
    ["two-labels", page("<title>ü</title>", typed("text/html; charset=utf-8; charset=utf-16"))],
    ["utf-16-lie", page("<title>ascii after all</title>", typed("text/html; charset=utf-16le"))],
    [
      "utf-16-odd",
      page(Buffer.concat([bytesOf(0xff, 0xfe), Buffer.from("<title>", "utf16le"), bytesOf(0x41)])),
    ],
    [
      "iso-2022-jp",
      page(Buffer.from("<title>\u001b$B%F%9\u001b(B</title>"), typed("text/html; charset=iso-2022-jp")),
    ],
    [
      "iso-2022-jp-open",
      page(
        Buffer.from(`<title>\u001b$B${"\u001b$B".repeat(100_000)}`),
        typed("text/html; charset=iso-2022-jp"),
      ),
    ],
    ["replacement", page("<title>x</title>", typed("text/html; charset=hz-gb-2312"))],
    [
      "no-utf-8",
      page(
        Buffer.concat([Buffer.from("<title>"), Buffer.alloc(1000, 0xc3), Buffer.from("</title>")]),
        typed("text/html; charset=utf-8"),
      ),
    ],
    ["late-meta", page(`${" ".repeat(2_000)}<meta charset=utf-16><title>x</title>`)],
    ["long-label", page("<title>x</title>", typed(`text/html; charset="${"u".repeat(5_000)}"`))],
    ["megabyte-without-label", page(Buffer.alloc(900_000, 0xe4))],
  ] as const
).map(([name, bytes]) => ({
  name: `charset-${name}`,
  row: "charset lie",
  respond: says(bytes),
  expected: { category: "ok" },
}));

const laughs = `<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "lol">${Array.from(
  { length: 12 },
  (_, n) => `<!ENTITY ${"bcdefghijklm"[n] ?? ""} "${`&${"abcdefghijkl"[n] ?? ""};`.repeat(10)}">`,
).join("")}]><urlset><url><loc>&m;</loc></url></urlset>`;
const external = (what: string): string =>
  `<?xml version="1.0"?><!DOCTYPE r [<!ENTITY x SYSTEM "${what}">]><urlset><url><loc>&x;</loc></url></urlset>`;

const xml: readonly Threat[] = (
  [
    ["billion-laughs", laughs, "application/xml"],
    ["billion-laughs-in-html", laughs, "text/html"],
    ["billion-laughs-in-xhtml", laughs, "application/xhtml+xml"],
    [
      "quadratic",
      `<!DOCTYPE r [<!ENTITY a "${"a".repeat(100_000)}">]><r>${"&a;".repeat(100_000)}</r>`,
      "text/xml",
    ],
    ["external-file", external("file:///etc/passwd"), "application/xml"],
    ["external-host", external("http://169.254.169.254/latest/meta-data/"), "application/rss+xml"],
    [
      "xinclude",
      `<r xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="file:///etc/passwd"/></r>`,
      "text/xml",
    ],
    ["deep", "<a>".repeat(300_000), "application/xml"],
  ] as const
).map(([name, text, type]) => ({
  name: `xml-${name}`,
  row: "XML bomb",
  respond: says(page(text, typed(type))),
  expected: { category: "ok", links: 0 },
}));

const many = (count: number, make: (n: number) => string): string =>
  Array.from({ length: count }, (_, n) => make(n)).join("");

const torture: readonly Threat[] = (
  [
    ["nested-tags", "<div>".repeat(180_000), 0],
    ["nested-tables", "<table><tr><td>".repeat(60_000), 0],
    ["huge-attribute", `<a href="${"a".repeat(900_000)}">x</a>`, 0],
    ["many-attributes", `<a ${many(150_000, (n) => `a${n} `)}>x</a>`, 0],
    ["many-links", many(60_000, (n) => `<a href=${n}>`), 20_000],
    ["same-link", '<a href="/x">'.repeat(70_000), 1],
    ["unclosed-comment", `<!--${"-".repeat(900_000)}`, 0],
    ["unclosed-script", `<script>${"<a href=x>".repeat(90_000)}`, 0],
    ["unclosed-quote", `<a href="${"<a href='".repeat(90_000)}`, 0],
    ["angle-brackets", "<".repeat(900_000), 0],
    ["entities", `<title>${"&amp;".repeat(180_000)}</title>`, 0],
    ["null-characters", `<t\0itle>\0</title>${"\0".repeat(900_000)}`, 0],
    ["links-to-nowhere", many(20_000, (n) => `<a href="http://[${n}:::]/%zz">`), 0],
    [
      "links-with-a-bad-base",
      `<base href="data:text/html,x">${many(1_000, (n) => `<a href="${n}">`)}`,
      1_000,
    ],
    ["refresh-to-file", `<meta http-equiv=refresh content="0;url=file:///etc/passwd">`, 0],
    ["refresh-to-metadata", `<meta http-equiv=refresh content="0;url=http://169.254.169.254/">`, 0],
  ] as const
).map(([name, text, links]) => ({
  name: `html-${name}`,
  row: "HTML torture",
  respond: says(page(text)),
  expected: { category: "ok", links },
}));

/** Text that breaks those who print, parse, quote or compare it. */
export const naughty: readonly string[] = [
  "__proto__",
  "constructor",
  "hasOwnProperty",
  "null",
  "NaN",
  "\u001b[31mred\u001b[0m\u0007",
  "a\r\nSet-Cookie: b=c\r\n\r\n<p>",
  '"}],"level":60,"x":[{"',
  "'; DROP TABLE results; --",
  "${jndi:ldap://127.0.0.1/a}",
  "{{7*7}} %s %n %x",
  "<script>alert(1)</script>",
  "../../../../etc/passwd",
  "\u202egnp.exe \u2066\u2028\u2029",
  "\ud800 alone",
  "\ufeff\u200b\u0000",
  "Z\u0351\u036b\u0343".repeat(50),
  "田中さん 👩‍👩‍👧‍👦 مرحبا",
];

const strings: readonly Threat[] = naughty.map((text, index) => ({
  name: `naughty-${index}`,
  row: "naughty strings",
  path: `/${encodeURIComponent(text.toWellFormed())}?${encodeURIComponent(text.toWellFormed())}=1`,
  respond: says(
    page(
      `<title>${text}</title><html lang="${text.replaceAll('"', "")}"><meta name="${text.replaceAll('"', "")}" content="x">`,
      [
        `X-Naughty: ${text.replaceAll(/[^\x20-\xff]/gu, "?")}`,
        `${text.replaceAll(/[^a-z_]/giu, "") || "x"}: 1`,
        `ETag: "${text.replaceAll(/[^\x20-\xff]/gu, "?")}"`,
      ],
    ),
  ),
  expected: { category: "ok" },
}));

export const contentThreats: readonly Threat[] = [...charsets, ...xml, ...torture, ...strings];
