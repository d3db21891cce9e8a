import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { spawnSync } from "node:child_process";
import { Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, it } from "vitest";
import { answererOf, type ProbeOptions } from "../src/probe/answerers.ts";
import { probeKindNames, type ProbeKind } from "../src/probe/kinds.ts";
import { linesOf } from "../src/probe/lines.ts";
import { probeLines } from "../src/probe/session.ts";

const plain: ProbeOptions = { allowPrivate: [], resolve: [], contact: null, userAgent: null, delayMs: 1000 };
const loopback: ProbeOptions = { ...plain, allowPrivate: ["127.0.0.0/8"] };

type Told = Readonly<Record<string, unknown>>;

class Taken extends Writable {
  text = "";

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

async function probe(
  kind: ProbeKind,
  lines: readonly unknown[],
  options = plain,
  waits: number[] = [],
): Promise<{ readonly told: readonly Told[]; readonly exit: string }> {
  const output = new Taken();
  const text = lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line))).join("\n");
  const clock = {
    nowMs: () => 0,
    sleep: (delayMs: number) => {
      waits.push(delayMs);
      return Promise.resolve();
    },
  };
  const input = (async function* () {
    yield await Promise.resolve(Buffer.from(text));
  })();
  const exit = await probeLines(answererOf(kind, options, {}, clock), input, output);
  const told = output.text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Told);
  return { told, exit };
}

const base64 = (text: string | Uint8Array): string => Buffer.from(text).toString("base64");

describe("a probe answers what the crawler itself makes of", () => {
  it("a robots.txt, with the line and rule that decide", async () => {
    const robots =
      "User-agent: *\nDisallow: /a\nUser-agent: sluice\nAllow: /\nDisallow: /x\nCrawl-delay: 2\n";
    const { told } = await probe("robots", [
      { robots, agent: "Other/1.0", url: "http://e.com/a?b" },
      { robots, url: "http://e.com/x/y" },
      {
        robots_base64: base64(Buffer.from("User-agent: *\nDisallow: /\xe9", "latin1")),
        agent: "a",
        url: "/%E9",
      },
      { robots: "User-agent: *\nDisallow: /\udce9", agent: "a", url: "/%e9" },
    ]);
    expect(told).toEqual([
      { allowed: false, line: 2, rule: "disallow: /a", crawl_delay_ms: null },
      { allowed: false, line: 5, rule: "disallow: /x", crawl_delay_ms: 2000 },
      { allowed: false, line: 2, rule: "disallow: /\ufffd", crawl_delay_ms: null },
      { allowed: false, line: 2, rule: "disallow: /\ufffd", crawl_delay_ms: null },
    ]);
  });

  it("a URL, with its id, and why where it can't be crawled", async () => {
    const { told, exit } = await probe("canonical", [
      { url: "HTTP://www.Example.co.uk:80/a/../b?x=2&utm_source=y&a=1#z" },
      { url: "../c?b&a", base: "http://e.com/x/y/", sort_query: true, drop_params: ["b"] },
      { url: "http://e.com/a/a/a/a" },
      { url: "http://e.com/calendar/2026/11/" },
      { url: "mailto:a@e.com" },
    ]);
    expect(told).toEqual([
      {
        canonical: "http://www.example.co.uk/b?x=2&utm_source=y&a=1",
        url_id: "a3c18b169c48027ce9ddcdbe1ab88871",
        host: "www.example.co.uk",
        registrable_domain: "example.co.uk",
        trap: null,
        suspicion: null,
      },
      expect.objectContaining({ canonical: "http://e.com/x/c?a" }),
      expect.objectContaining({ trap: "path that repeats /a" }),
      expect.objectContaining({ trap: null, suspicion: "calendar" }),
      expect.objectContaining({ canonical: null, url_id: null, reason: "scheme" }),
    ]);
    expect(exit).toBe("done");
  });

  it("a page: links, title, canonical, base and robots, in its own encoding", async () => {
    const html = `<html lang=de><head><base href="/d/"><title>Ein Stück</title><link rel=canonical href=c>
      <meta name=robots content="noindex"><meta charset=iso-8859-1></head><a href="a">Straße</a><a rel="x nofollow" href="//f.com/">b</a>`;
    const octets = Buffer.from(html, "latin1");
    const { told } = await probe("links", [
      { html_base64: base64(octets), url: "http://e.com/p" },
      { html: "<a href=/x>", url: "http://e.com/p", content_type: "text/plain" },
    ]);
    expect(told).toEqual([
      {
        links: [
          { url: "http://e.com/d/c", text: "", nofollow: false, kind: "link", rel: "canonical" },
          { url: "http://e.com/d/a", text: "Straße", nofollow: false, kind: "a", rel: null },
          { url: "http://f.com/", text: "b", nofollow: true, kind: "a", rel: "x nofollow" },
        ],
        title: "Ein Stück",
        description: null,
        lang: "de",
        canonical: "http://e.com/d/c",
        base: "http://e.com/d/",
        robots: { noindex: true, nofollow: false, noarchive: false },
        encoding: "windows-1252",
        links_truncated: false,
      },
      {
        links: [],
        title: null,
        description: null,
        lang: null,
        canonical: null,
        base: "http://e.com/p",
        robots: { noindex: false, nofollow: false, noarchive: false },
        encoding: null,
        links_truncated: false,
        note: "nothing is read of an empty body or of text/plain",
      },
    ]);
    const encoding = await probe("encoding", [
      { html_base64: base64(octets) },
      { html_base64: base64(octets), content_type: "text/html; charset=koi8-r" },
    ]);
    expect(encoding.told).toEqual([{ encoding: "windows-1252" }, { encoding: "koi8-r" }]);
  });

  it("a sitemap, packed or not", async () => {
    const xml = "<urlset><url><loc>http://e.com/1</loc><lastmod>2026-11-22</lastmod></url></urlset>";
    const index = "<sitemapindex><sitemap><loc>http://e.com/s2.xml</loc></sitemap></sitemapindex>";
    const { told } = await probe("sitemap", [
      { body_base64: base64(gzipSync(xml)), url: "http://e.com/s.xml.gz" },
      { body: index, url: "http://e.com/s.xml" },
    ]);
    expect(told).toEqual([
      {
        kind: "urlset",
        urls: ["http://e.com/1"],
        sitemaps: [],
        hints: [{ url: "http://e.com/1", last_modified: "2026-11-22T00:00:00.000Z", priority: null }],
        refused: 0,
        truncated: null,
      },
      expect.objectContaining({ kind: "index", urls: [], sitemaps: ["http://e.com/s2.xml"] }),
    ]);
  });

  it("an address, and the addresses of a URL's host", async () => {
    const { told } = await probe("address", [
      { address: "169.254.169.254" },
      { address: "8.8.8.8" },
      { url: "http://0x7f.1/" },
      { url: "http://[::ffff:10.0.0.1]/" },
      { url: "gopher://e.com/" },
    ]);
    expect(told).toMatchObject([
      { allowed: false, reason: "link-local (169.254.0.0/16)" },
      { allowed: true, reason: "globally reachable" },
      { allowed: false, addresses: [{ address: "127.0.0.1" }] },
      { allowed: false, reason: "IPv4-mapped, private use (10.0.0.0/8)" },
      { allowed: false },
    ]);
    expect((await probe("address", [{ address: "127.9.9.9" }], loopback)).told).toMatchObject([
      { allowed: true },
    ]);
  });
});

describe("a line that can't be answered", () => {
  const good = { url: "http://e.com/" };

  it("gets its error and field in its place, the others are answered, and the exit says so", async () => {
    const lines = [good, "nonsense", "", "[1]", { url: 5 }, {}, { ...good, sort_query: "yes" }, good];
    const { told, exit } = await probe("canonical", lines);
    expect(told.map((answer) => ("error" in answer ? answer["field"] : answer["canonical"]))).toEqual([
      "http://e.com/",
      null,
      null,
      null,
      "url",
      "url",
      "sort_query",
      "http://e.com/",
    ]);
    expect(exit).toBe("usage");
  });

  it("is one that is no UTF-8, no base64, or too long, whose rest is not kept", async () => {
    const partial = ["YQ", "YQ==", "Y", "YWJjZ"].map((html_base64) => ({ html_base64 }));
    expect((await probe("encoding", partial)).told.map((each) => "error" in each)).toEqual([
      false,
      false,
      true,
      true,
    ]);
    expect((await probe("encoding", [{ html_base64: "a*b" }])).told).toMatchObject([
      { field: "html_base64" },
    ]);
    const pieces = [
      Buffer.from("ab\nlong"),
      Buffer.from("er than\nc"),
      Buffer.from([0xff, 0x0a]),
      Buffer.from("d"),
    ];
    const found = [];
    for await (const line of linesOf(
      (async function* () {
        yield* await Promise.resolve(pieces);
      })(),
      5,
    ))
      found.push(line);
    expect(found).toEqual([
      { kind: "line", text: "ab" },
      { kind: "too_long" },
      { kind: "no_utf8" },
      { kind: "line", text: "d" },
    ]);
  });

  it("is one without its fields, for every kind", async () => {
    for (const kind of probeKindNames) expect(await probe(kind, [{}])).toMatchObject({ exit: "usage" });
  });
});

describe("the probe of a fetch", () => {
  let server: Server | null = null;
  afterEach(() => {
    server?.closeAllConnections();
    server?.close();
    server = null;
  });

  async function serve(pages: Readonly<Record<string, readonly [number, Record<string, string>, string]>>) {
    const asked: string[] = [];
    const listening = createServer((request, response) => {
      asked.push(request.url ?? "");
      const [status, headers, body] = pages[request.url ?? ""] ?? [404, {}, ""];
      response.writeHead(status, headers).end(body);
    });
    server = listening;
    await new Promise<void>((resolve) => void listening.listen(0, "127.0.0.1", resolve));
    return { asked, origin: `http://127.0.0.1:${(listening.address() as AddressInfo).port}` };
  }

  it("tells robots.txt, addresses, status, headers, timings and what was read, and keeps the host's delay", async () => {
    const html = '<title>T</title><link rel=canonical href="/c"><a href="/a">a</a><a href="/a#b">b</a>';
    const { origin, asked } = await serve({
      "/robots.txt": [200, {}, "User-agent: *\nCrawl-delay: 3\nDisallow: /no\nSitemap: http://e.com/s"],
      "/p": [200, { "content-type": "text/html", "x-robots-tag": "noindex" }, html],
      "/r": [301, { location: "/p" }, ""],
    });
    const waits: number[] = [];
    const lines = [{ url: `${origin}/p#x` }, { url: `${origin}/r` }, { url: `${origin}/no` }];
    const { told } = await probe("fetch", lines, loopback, waits);
    expect(told).toMatchObject([
      {
        canonical: `${origin}/p`,
        category: "ok",
        requested: true,
        status: 200,
        robots: { allowed: true, status: 200, crawl_delay_ms: 3000, sitemaps: ["http://e.com/s"] },
        addresses: [{ address: "127.0.0.1", allowed: true }],
        remote_address: "127.0.0.1",
        headers: { "x-robots-tag": "noindex" },
        timings: { waited_ms: 3000 },
        title: "T",
        canonical_url: `${origin}/c`,
        noindex: true,
        links_count: 1,
      },
      { category: "redirect", status: 301, redirect_to: `${origin}/p`, links_count: 0 },
      { category: "robots", requested: false, robots: { allowed: false, line: 3, rule: "disallow: /no" } },
    ]);
    expect(asked).toEqual(["/robots.txt", "/p", "/robots.txt", "/r", "/robots.txt"]);
    expect(waits).toEqual([3000, 1000, 3000, 1000]);
  });

  it("follows redirects of robots.txt alone, five at most, and asks for nothing where its host is silent", async () => {
    const hops = Object.fromEntries(
      [0, 1, 2, 3, 4, 5].map((hop) => [
        hop === 0 ? "/robots.txt" : `/${hop}`,
        [302, { location: `/${hop + 1}` }, ""] as const,
      ]),
    );
    const { origin, asked } = await serve({ ...hops, "/p": [200, {}, ""] });
    const { told } = await probe("fetch", [{ url: `${origin}/p` }], loopback);
    expect(told).toMatchObject([{ category: "ok", robots: { allowed: true, redirects: { length: 5 } } }]);
    expect(asked).toEqual(["/robots.txt", "/1", "/2", "/3", "/4", "/5", "/p"]);
    server?.close();
    const broken = await serve({ "/robots.txt": [503, {}, ""] });
    expect((await probe("fetch", [{ url: `${broken.origin}/p` }], loopback)).told).toMatchObject([
      { category: "robots_unreachable", requested: false, robots: { allowed: false, status: 503 } },
    ]);
    expect(broken.asked).toEqual(["/robots.txt"]);
  });

  it("asks no private address unless it is allowed", async () => {
    const { origin, asked } = await serve({});
    const { told } = await probe("fetch", [{ url: `${origin}/` }, { url: "http://169.254.169.254/latest" }]);
    expect(told).toMatchObject([
      { category: "address_refused", requested: false },
      { category: "address_refused", requested: false },
    ]);
    expect(asked).toEqual([]);
  });
});

describe("sluice probe", () => {
  const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));
  const run = (args: readonly string[], input: string) =>
    spawnSync(process.execPath, [main, "probe", ...args], { encoding: "utf8", input, maxBuffer: 1e8 });

  it("answers each line in order and ends with 0, or with 2 where one was wrong", () => {
    const lines = Array.from({ length: 5000 }, (_, i) =>
      JSON.stringify({ url: `http://e.com/${i}/../x${i}` }),
    );
    const { status, stdout, stderr } = run(["canonical"], lines.join("\n"));
    const told = stdout.trimEnd().split("\n");
    expect({ status, stderr, lines: told.length }).toEqual({ status: 0, stderr: "", lines: 5000 });
    expect(told.map((line) => (JSON.parse(line) as Told)["canonical"])).toEqual(
      lines.map((_, i) => `http://e.com/x${i}`),
    );
    expect(run(["canonical"], "{}")).toMatchObject({
      status: 2,
      stdout: '{"error":"url is missing","field":"url"}\n',
    });
    expect(run(["canonical"], "")).toMatchObject({ status: 0, stdout: "" });
  });

  it("ends with 2 and names what it does not know", () => {
    expect(run(["nonsense"], "").stderr).toContain("Allowed choices are robots, canonical, links");
    expect(run(["fetch", "--delay", "-1", "--allow-private", "x"], "")).toMatchObject({
      status: 2,
      stderr:
        '--allow-private: "x" is no address block such as 127.0.0.0/8 or ::1/128\n--delay: "-1" is not a whole number from 0 to 86400000\n',
    });
  });
});
