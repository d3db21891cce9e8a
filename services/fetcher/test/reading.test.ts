import { gzipSync } from "node:zlib";
import { setImmediate } from "node:timers/promises";
import { afterEach, describe, expect, test, vi } from "vitest";
import {
  bodyReader,
  defaultThreadLimits,
  inlineBytesMax,
  inlineReader,
  type BodyReader,
} from "../src/reading/reader.ts";

vi.setConfig({ testTimeout: 240_000 });

const url = "http://example.com/a";
const headers = { "content-type": "text/html; charset=utf-8", "x-robots-tag": "noindex" };

/** Bytes in a buffer of their own, as a body is. */
const bodyOf = (text: string): Uint8Array<ArrayBuffer> => new Uint8Array(new TextEncoder().encode(text));
const page = (text: string, selectors?: Readonly<Record<string, string>>) => ({
  kind: "page" as const,
  url,
  headers,
  body: bodyOf(text),
  ...(selectors === undefined ? {} : { selectors }),
});
const large = `<title>Large</title>${"<p>text <a href=/x>x</a></p>".repeat(inlineBytesMax / 20)}<a href=/last>l</a>`;

let reader: BodyReader | null = null;
/** On a busy machine a thread may need long for what is meant to succeed. */
const patient = { ...defaultThreadLimits, timeMaxMs: 240_000 };
const open = (limits = {}): BodyReader => (reader = bodyReader({ ...patient, ...limits }));
afterEach(async () => {
  await reader?.close();
  reader = null;
});

describe("a page read in a thread", () => {
  test("gives what it gives on the event loop, texts of selectors too", async () => {
    const threads = open();
    const inline = inlineReader(() => performance.now());
    for (const [text, selectors] of [
      [large, undefined],
      ["<title>S</title><h1>a</h1>", { h: "h1" }],
      ["<title>W</title><a href=/w>", { t: "title", wrong: ":nonsense(" }],
    ] as const) {
      const read = await threads.page(page(text, selectors));
      expect(read).toEqual(await inline.page(page(text, selectors)));
      expect(read.links.length).toBe(text === large ? 2 : text.includes("/w") ? 1 : 0);
    }
  });

  test("leaves the event loop free", async () => {
    const threads = open();
    let turns = 0;
    let isRead = false;
    const reading = threads.page(page(large.repeat(20))).finally(() => {
      isRead = true;
    });
    expect(threads.load).toEqual({ reading: 1, waiting: 0 });
    while (!isRead) {
      await setImmediate();
      turns += 1;
    }
    expect((await reading).title).toBe("Large");
    // One that is read on the event loop leaves it a turn or two.
    expect(turns).toBeGreaterThan(20);
    expect(threads.load).toEqual({ reading: 0, waiting: 0 });
  });

  test("waits for a thread, of which there are only so many", async () => {
    const threads = open({ threadsMax: 2 });
    const reads = Array.from({ length: 7 }, (_, i) => threads.page(page(`<i>${i}</i>`, { i: "i" })));
    expect(threads.load).toEqual({ reading: 2, waiting: 5 });
    const texts = (await Promise.all(reads)).map(({ extractedJson }) => extractedJson);
    expect(texts).toEqual(Array.from({ length: 7 }, (_, i) => `{"i":["${i}"]}`));
  });

  test("that takes too long is given up with its reason, and the next page is read", async () => {
    const threads = open({ threadsMax: 1, timeMaxMs: 2000 });
    // Eight seconds of work for a fast core.
    const slow = threads.page(page("<svg>".repeat(2_000_000) + "</p>".repeat(2_000_000)));
    const next = threads.page(page("<title>Next</title>", {}));
    expect(await slow).toMatchObject({
      contentType: headers["content-type"],
      noindex: true,
      links: [],
      linksTruncated: true,
      unreadReason: "not read within 2000 ms",
    });
    expect(await next).toMatchObject({ title: "Next" });
  });

  test("that needs more memory than a thread may have ends the thread, not the process", async () => {
    const threads = open({ threadsMax: 1, heapMbMax: 32 });
    const links = Array.from({ length: 20_000 }, (_, i) => `<a href=/${i}>${"y".repeat(4_000)}`);
    const read = await threads.page(page(links.join("")));
    expect(read).toMatchObject({ links: [], linksTruncated: true, contentType: headers["content-type"] });
    expect(read.unreadReason).toContain("memory");
    expect(await threads.page(page("<title>Next</title>", { t: "title" }))).toMatchObject({ title: "Next" });
  });

  test("is answered when the process stops, read or not", async () => {
    const threads = open({ threadsMax: 1 });
    const reads = [threads.page(page(large)), threads.page(page(large))];
    await threads.close();
    for (const read of await Promise.all(reads)) expect(read.unreadReason).toBe("the process is stopping");
    expect((await threads.page(page(large))).unreadReason).toBe("the process is stopping");
  });
});

describe("what hostile pages are made of", () => {
  const cases: readonly (readonly [string, string, number])[] = [
    ["100,000 elements within each other", `${"<div>".repeat(100_000)}<a href=/x>x</a>`, 1],
    ["a million links", Array.from({ length: 1_000_000 }, (_, i) => `<a href=/${i % 7}>`).join(""), 7],
    ["an attribute of 10 MB", `<a href="${"x".repeat(10_000_000)}"><a href=/y>`, 1],
    ["a million attributes", `<a ${"b=1 ".repeat(1_000_000)} href=/x><a href=/y>`, 2],
    ["scripts that seem never to end", `${"<script><!-- <script>".repeat(100_000)}<a href=/x>`, 0],
    ["10 MB of open brackets", "<".repeat(10_000_000), 0],
  ];

  test.each(cases)(
    "%s: read, with its links up to the cap",
    async (_name, text, links) => {
      const read = await open().page(page(text));
      expect(read).toMatchObject({ extractionNote: null, linksTruncated: text.length > 1e7 && links === 7 });
      expect(read.links).toHaveLength(links);
    },
    120_000,
  );

  test("deep nesting stops only the tree that selectors need, and says so", async () => {
    const read = await open().page(page(`${"<div>".repeat(100_000)}<a href=/x>x</a>`, { a: "a" }));
    expect(read.links).toHaveLength(1);
    expect(read.extractionNote).toContain("elements within each other");
  });
});

test("a sitemap is read in a thread, packed or not", async () => {
  const xml = "<urlset><url><loc>http://example.com/1</loc></url></urlset>";
  const threads = open();
  for (const body of [bodyOf(xml), new Uint8Array(gzipSync(xml))]) {
    const read = await threads.sitemap({ kind: "sitemap", url, contentType: null, body });
    expect(read).toMatchObject({ kind: "urlset", pages: [{ link: { url: "http://example.com/1" } }] });
  }
});
