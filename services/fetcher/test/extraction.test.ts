import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createRequire } from "node:module";
import { Breakers, createHttpClient, type HttpClient } from "@sluice/http";
import { defaultJob, jobSchema } from "@sluice/records";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { FetchOutcome } from "../src/calls.ts";
import { extractedBytesMax, extractFrom } from "../src/extraction.ts";
import { noWait } from "./answers.ts";
import { performFetches } from "../src/perform.ts";
import { bodyReader } from "../src/reading/reader.ts";
import { plainRequests } from "./plain-requests.ts";

const installed = isInstalled();
if (!installed) process.stderr.write("cheerio is not installed: what needs it is skipped\n");

const page = `<!doctype html><html><head><title>A page</title></head><body>
  <h1>One  <b>and</b>
  more</h1><p class="x">first</p><p>second &amp; third</p><p class="x"></p></body></html>`;
const html = "text/html; charset=utf-8";
const stopped = (): number => 0;
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

interface Read {
  readonly texts: Record<string, string[]>;
  readonly json: string;
  readonly note: string | null;
}

async function read(
  text: string,
  selectors: Readonly<Record<string, string>>,
  nowMs: () => number = stopped,
): Promise<Read> {
  const { extractedJson, extractionNote } = await extractFrom(bytes(text), html, selectors, nowMs);
  const json = extractedJson ?? "null";
  return { texts: JSON.parse(json) as Record<string, string[]>, json, note: extractionNote };
}

describe.skipIf(!installed)("texts of a page, by the selectors of a job", () => {
  test("are those of all elements that match, in the order of the page, white space drawn together", async () => {
    const { texts, note } = await read(page, { heading: "h1", all: "p", some: "p.x", none: "table" });
    expect(texts).toEqual({
      heading: ["One and more"],
      all: ["first", "second & third", ""],
      some: ["first", ""],
      none: [],
    });
    expect(note).toBeNull();
  });

  test("a selector with an error finds nothing and is named in the note, the others find theirs", async () => {
    const { texts, note } = await read(page, { broken: "p[", unknown: "p:no-such-thing", good: "h1" });
    expect(texts).toEqual({ broken: [], unknown: [], good: ["One and more"] });
    expect(note).toMatch(/^broken: .+; unknown: .+/);
    expect(note?.length).toBeLessThanOrEqual(500);
  });

  test("a selector that looks like a page makes none", async () => {
    const { texts, note } = await read(page, { tag: "<h1>made up</h1>" });
    expect(texts).toEqual({ tag: [] });
    expect(note).toContain("tag: ");
  });

  test("a name is one as any other, whatever it is", async () => {
    const selectors = JSON.parse('{"__proto__": "h1", "constructor": "title"}') as Record<string, string>;
    const { json } = await read(page, selectors);
    expect(json).toBe('{"__proto__":["One and more"],"constructor":["A page"]}');
  });

  test("are never longer than the limit, whatever is in them, and the note says what was left out", async () => {
    for (const unit of ["a", "ä", "\u{1F600}", '"', "\u0001"]) {
      const body = `<p>${unit.repeat(30_000)}</p>`.repeat(10);
      const { json, texts, note } = await read(body, { first: "p", second: "p" });
      expect(Buffer.byteLength(json)).toBeLessThanOrEqual(extractedBytesMax);
      expect(Buffer.byteLength(json)).toBeGreaterThan(extractedBytesMax / 10);
      expect(texts["second"]).toEqual([]);
      expect(note).toContain("left out");
    }
  });

  test("end with the time that a page may take", async () => {
    let nowMs = 0;
    const { texts, note } = await read("<p>a</p>".repeat(10_000), { p: "p" }, () => (nowMs += 10));
    expect(texts["p"]?.length).toBeGreaterThan(50);
    expect(texts["p"]?.length).toBeLessThan(101);
    expect(note).toContain("1000 ms");
  });

  test("are none where a page nests 100,000 deep, which costs no time, and the note says so", async () => {
    const { texts, note } = await read(`<p>before</p>${"<div>".repeat(100_000)}x`, { p: "p" });
    expect(texts).toEqual({ p: [] });
    expect(note).toContain("2000 elements within each other");
  });

  test("are there where a page nests deep and closes what it opens, again and again", async () => {
    const nest = `${"<div>".repeat(500)}<p>text</p>${"</div>".repeat(500)}`;
    const { texts, note } = await read(nest.repeat(20), { p: "div div p" });
    expect(texts["p"]).toEqual(Array.from({ length: 20 }, () => "text"));
    expect(note).toBeNull();
  });
});

describe("what a job may ask for", () => {
  const accepts = (selectors: unknown): boolean =>
    jobSchema.safeParse({ id: "j", extract: { selectors } }).success;

  test("is nothing, or up to 50 selectors with a name each", () => {
    const many = (count: number): Record<string, string> =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`name ${index}`, "p"]));
    expect(jobSchema.parse({ id: "j" }).extract).toBeUndefined();
    expect(accepts({})).toBe(true);
    expect(accepts(many(50))).toBe(true);
    expect(accepts(many(51))).toBe(false);
    expect(accepts({ ["n".repeat(100)]: "p".repeat(1000) })).toBe(true);
    expect(accepts({ ["n".repeat(101)]: "p" })).toBe(false);
    expect(accepts({ name: "p".repeat(1001) })).toBe(false);
    expect(accepts({ name: "" })).toBe(false);
    expect(accepts({ "": "p" })).toBe(false);
  });
});

describe("a page call", () => {
  let server: Server;
  let client: HttpClient;
  let origin: string;

  beforeAll(async () => {
    server = createServer((request, response) => {
      response.setHeader("content-type", request.url === "/text" ? "text/plain" : html);
      response.statusCode = request.url === "/missing" ? 404 : 200;
      response.end(page);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    client = createHttpClient({ userAgent: "test", isAllowed: () => ({ allowed: true, reason: "a test" }) });
  });

  afterAll(async () => {
    await reader.close();
    await client.destroy();
    server.close();
  });

  const reader = bodyReader();
  const call = (path: string, selectors?: Readonly<Record<string, string>>): Promise<FetchOutcome> =>
    performFetches(
      new Breakers(client, { nowMs: Date.now }),
      plainRequests(),
      reader,
      Date.now,
    )(
      {
        kind: "page",
        domain: "127.0.0.1",
        url: `${origin}${path}`,
        fetch: defaultJob().fetch,
        policy: {},
        ...noWait,
        ...(selectors === undefined ? {} : { selectors }),
      },
      new AbortController().signal,
    );

  test("without selectors reads none", async () => {
    const outcome = await call("/");
    expect(outcome).toMatchObject({
      content: { title: "A page", extractedJson: null, extractionNote: null },
    });
  });

  test("reads none off what is no page", async () => {
    expect(await call("/text", { h: "h1" })).toMatchObject({ content: { extractedJson: null } });
    expect(await call("/missing", { h: "h1" })).toMatchObject({ answer: { status: 404 }, content: null });
  });

  test.skipIf(!installed)("with selectors reads what they name", async () => {
    expect(await call("/", { h: "h1" })).toMatchObject({
      content: { title: "A page", extractedJson: '{"h":["One and more"]}', extractionNote: null },
    });
  });
});

function isInstalled(): boolean {
  try {
    createRequire(import.meta.url).resolve("cheerio/slim");
    return true;
  } catch {
    return false;
  }
}
