/** What of a body has to be read, and what reading it gives; the same on the event loop and in a thread beside it. */
import { unpacked } from "@sluice/http";
import { readPage, readSitemap, sitemapLinks, type PageFacts, type SitemapLinks } from "@sluice/web";
import type { Extraction } from "../calls.ts";
import { extractFrom } from "../extraction.ts";

export type ReadJob =
  | {
      readonly kind: "page";
      readonly url: string;
      /** Names in lower case. */
      readonly headers: Readonly<Record<string, string>>;
      readonly body: Uint8Array<ArrayBuffer>;
      /** Names with CSS selectors, where the job wants texts of the page. */
      readonly selectors?: Readonly<Record<string, string>>;
    }
  | {
      readonly kind: "sitemap";
      readonly url: string;
      readonly contentType: string | null;
      readonly body: Uint8Array<ArrayBuffer>;
    };

/** In the order in which they are had: what comes first is kept where what follows fails. */
export type ReadPart =
  | { readonly kind: "facts"; readonly facts: PageFacts }
  | { readonly kind: "extraction"; readonly extraction: Extraction }
  | { readonly kind: "sitemap"; readonly sitemap: SitemapLinks };

/** @param unpack what a sitemap that is a packed file is unpacked by */
export async function* readParts(
  job: ReadJob,
  nowMs: () => number,
  unpack = unpacked,
): AsyncGenerator<ReadPart> {
  const { body, url } = job;
  if (job.kind === "sitemap") {
    const sitemap = await readSitemap(unpack(body), url, job.contentType);
    yield { kind: "sitemap", sitemap: sitemapLinks(sitemap) };
    return;
  }
  const facts = readPage(url, job.headers, body);
  yield { kind: "facts", facts };
  if (job.selectors !== undefined)
    yield {
      kind: "extraction",
      extraction: await extractFrom(body, facts.contentType, job.selectors, nowMs),
    };
}
