/**
 * What reading a page costs, by every way to do it in one run: `node bench/pages.ts [seconds for each]`.
 * The pages are those of ../shared/data/pages, or made ones where that folder is absent. Prints one line of JSON:
 * pages per CPU-second of the scan, of the whole reading (charset, scan, hash, canonical links), of htmlparser2's parser, of
 * cheerio and of parse5, and the links that each finds.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { readPage, scanHtml } from "@sluice/web";
import { load } from "cheerio/slim";
import { Parser } from "htmlparser2";
import { parse, type DefaultTreeAdapterTypes } from "parse5";

const seconds = Number(process.argv[2] ?? 3);
const folder = new URL("../../shared/data/pages/", import.meta.url);
const url = "http://example.com/a/b.html";

function made(index: number): Buffer {
  const paragraphs = Array.from(
    { length: 60 },
    (_, i) => `<p>${"text ".repeat(80)}<a href="/p${index}-${i}">link ${i}</a></p>`,
  );
  return Buffer.from(`<!doctype html><title>Page ${index}</title><body>${paragraphs.join("\n")}`);
}

const bodies = existsSync(folder)
  ? readdirSync(folder)
      .sort()
      .map((file) => readFileSync(new URL(file, folder)))
  : Array.from({ length: 100 }, (_, index) => made(index));
const texts = bodies.map((body) => body.toString());

/** Runs through the pages until the time is over; whole rounds only, so that each way reads the same pages. */
function measure(read: (index: number) => number): { pagesPerCpuSecond: number; links: number } {
  for (let i = 0; i < texts.length; i++) read(i);
  let pages = 0;
  let links = 0;
  const start = process.cpuUsage();
  const cpuSeconds = (): number => {
    const { user, system } = process.cpuUsage(start);
    return (user + system) / 1e6;
  };
  do {
    links = 0;
    for (let i = 0; i < texts.length; i++) links += read(i);
    pages += texts.length;
  } while (cpuSeconds() < seconds);
  return { pagesPerCpuSecond: Math.round(pages / cpuSeconds()), links };
}

function linksOfTree(html: string): number {
  let found = 0;
  const pending: DefaultTreeAdapterTypes.Node[] = [parse(html, { scriptingEnabled: false })];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    if ("attrs" in node && (node.tagName === "a" || node.tagName === "area"))
      if (node.attrs.some(({ name }) => name === "href")) found += 1;
    if ("childNodes" in node) pending.push(...node.childNodes);
  }
  return found;
}

function linksByParser(html: string): number {
  let found = 0;
  const parser = new Parser({
    onopentag: (name, attributes) => {
      if ((name === "a" || name === "area") && "href" in attributes) found += 1;
    },
  });
  parser.end(html);
  return found;
}

const textOf = (index: number): string => texts[index] ?? "";
const isAnchor = ({ kind }: { readonly kind: string }): boolean => kind === "a" || kind === "area";
const bytes = bodies.reduce((sum, body) => sum + body.length, 0);
process.stdout.write(
  `${JSON.stringify({
    pages: texts.length,
    kibPerPage: Math.round(bytes / texts.length / 1024),
    real: existsSync(folder),
    scan: measure((i) => scanHtml(textOf(i), url, { linksMax: Infinity }).links.filter(isAnchor).length),
    wholeReading: measure(
      (i) =>
        readPage(url, { "content-type": "text/html; charset=utf-8" }, bodies[i] ?? Buffer.alloc(0)).links
          .length,
    ),
    htmlparser2: measure((i) => linksByParser(textOf(i))),
    cheerioSlim: measure((i) => load(textOf(i))("a[href], area[href]").length),
    parse5: measure((i) => linksOfTree(textOf(i))),
  })}\n`,
);
