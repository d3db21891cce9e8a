/** Reads bodies: small pages where they are, what is heavy in threads beside the event loop. */
import { unpackedAtOnce } from "@sluice/http";
import { robotsTag, robotsToken, type PageFacts, type SitemapLinks } from "@sluice/web";
import type { PageContent } from "../calls.ts";
import { readParts, type ReadJob, type ReadPart } from "./read-job.ts";
import { ReaderThreads, type ThreadLimits } from "./reader-threads.ts";

/**
 * Larger pages are read in a thread. Scanning costs about 25 ns a byte on real pages and 150 on the densest, so the
 * event loop stands still for 20 ms at most; handing a page over costs a third of a millisecond, a twentieth of that.
 */
export const inlineBytesMax = 131_072;

export const defaultThreadLimits: ThreadLimits = { threadsMax: 2, timeMaxMs: 15_000, heapMbMax: 512 };

export interface BodyReader {
  /** Never fails for what a page or a job says: what was not read is missing, and the note says why. */
  page(job: Extract<ReadJob, { kind: "page" }>): Promise<PageContent>;
  /** Never fails either: of what could not be read `truncated` says why. */
  sitemap(job: Extract<ReadJob, { kind: "sitemap" }>): Promise<SitemapLinks>;
  /** For gauges. */
  readonly load: { readonly reading: number; readonly waiting: number };
  close(): Promise<void>;
}

export function bodyReader(limits: ThreadLimits = defaultThreadLimits): BodyReader {
  const threads = new ReaderThreads(limits);
  return {
    page: async (job) => {
      const isHeavy = job.selectors !== undefined || job.body.length > inlineBytesMax;
      // Taken before the body is handed over: afterwards it is gone.
      const plain = nothingRead(job.headers);
      const parts: ReadPart[] = [];
      let fault: string | null = null;
      if (isHeavy) fault = await threads.read(job, (part) => void parts.push(part));
      else for await (const part of readParts(job, () => performance.now())) parts.push(part);
      return contentOf(parts, fault, plain);
    },
    sitemap: async (job) => {
      const parts: ReadPart[] = [];
      const fault = await threads.read(job, (part) => void parts.push(part));
      return linksOf(parts, fault);
    },
    get load() {
      return threads.load;
    },
    close: () => threads.close(),
  };
}

/** Reads everything where it is: for tests and simulations, whose order of events must not depend on threads. */
export function inlineReader(nowMs: () => number): BodyReader {
  const partsOf = async (job: ReadJob): Promise<readonly ReadPart[]> => {
    const parts: ReadPart[] = [];
    for await (const part of readParts(job, nowMs, unpackedAtOnce)) parts.push(part);
    return parts;
  };
  return {
    page: async (job) => contentOf(await partsOf(job), null, nothingRead(job.headers)),
    sitemap: async (job) => linksOf(await partsOf(job), null),
    load: { reading: 0, waiting: 0 },
    close: () => Promise.resolve(),
  };
}

function contentOf(parts: readonly ReadPart[], fault: string | null, plain: PageFacts): PageContent {
  let content: PageContent = { ...plain, extractedJson: null, extractionNote: null, unreadReason: null };
  for (const part of parts) {
    if (part.kind === "facts") content = { ...content, ...part.facts };
    if (part.kind === "extraction") content = { ...content, ...part.extraction };
  }
  if (fault === null) return content;
  if (parts.some(({ kind }) => kind === "facts")) return { ...content, extractionNote: `texts: ${fault}` };
  // Nobody knows how many links it has.
  return { ...content, linksTruncated: true, unreadReason: fault };
}

function linksOf([first]: readonly ReadPart[], fault: string | null): SitemapLinks {
  if (first?.kind === "sitemap") return first.sitemap;
  return { kind: "unknown", pages: [], sitemaps: [], refusedCount: 0, truncated: fault };
}

/** What the header alone says. */
function nothingRead(headers: Readonly<Record<string, string>>): PageFacts {
  return {
    contentType: headers["content-type"] ?? null,
    charset: null,
    bodySha256: null,
    title: null,
    description: null,
    lang: null,
    canonicalUrl: null,
    ...robotsTag(headers["x-robots-tag"] ?? "", robotsToken),
    links: [],
    linksTruncated: false,
  };
}
