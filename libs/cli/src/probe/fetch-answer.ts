/** One fetch as the fetcher makes it, told step by step: robots.txt, addresses, the request, what was read. */
import {
  categoryOf,
  crawlRequest,
  createCrawlerClient,
  type CrawlerClientSettings,
  type FetchAnswer,
} from "@sluice/http";
import { jobSchema } from "@sluice/records";
import {
  canonicalize,
  parseRobots,
  readPage,
  registrableDomain,
  robotsBytesMax,
  robotsForStatus,
  robotsRedirectsMax,
  robotsToken,
  type CanonicalUrl,
  type Robots,
} from "@sluice/web";
import type { Answer } from "./page-answers.ts";
import type { HostWaits } from "./probed-host.ts";
import type { Question } from "./question.ts";

export interface FetchProbe {
  readonly client: CrawlerClientSettings;
  readonly waits: HostWaits;
  /** Least time between two requests to a host; a longer crawl-delay counts. */
  readonly delayMs: number;
}

/** As for a job that says nothing else. */
const { fetch: policy, politeness } = jobSchema.parse({ id: "probe" });

interface Asked {
  readonly answer: FetchAnswer;
  readonly addresses: readonly Answer[];
  readonly waitedMs: number;
}

/** Answers for one URL at a time. */
export function fetchAnswers(probe: FetchProbe): (question: Question) => Promise<Answer> {
  return async (question) => {
    const url = question.url("url");
    const about = {
      url: question.text("url"),
      canonical: url.url,
      url_id: url.urlId,
      host: url.host,
      registrable_domain: registrableDomain(url.domain),
    };
    const rules = await robotsOf(probe, url);
    if (!rules.allowed) return { ...about, category: rules.category, requested: false, robots: rules.told };
    const delayMs = Math.max(probe.delayMs, Math.min(rules.crawlDelayMs, politeness.delayMaxMs));
    const asked = await ask(probe, url, policy.bodyBytesMax, delayMs);
    return {
      ...about,
      category: categoryOf(asked.answer),
      requested: asked.answer.kind === "response" || asked.answer.requestSent,
      robots: rules.told,
      addresses: asked.addresses,
      ...pageAnswer(url, asked),
    };
  };
}

/** A client of its own for each request, so that the addresses are tried anew and shown. */
async function ask(probe: FetchProbe, url: CanonicalUrl, bytesMax: number, delayMs: number): Promise<Asked> {
  const addresses: Answer[] = [];
  const waitedMs = await probe.waits.wait(url.domain, delayMs);
  await using client = createCrawlerClient(probe.client, (address, decision) => {
    addresses.push({ address, ...decision });
  });
  const request = crawlRequest(url.url, policy.totalTimeoutMs, bytesMax);
  const answer = await client.fetch(request, new AbortController().signal);
  if (answer.kind === "response" || answer.requestSent) probe.waits.ended(url.domain);
  return { answer, addresses, waitedMs };
}

interface Rules {
  readonly allowed: boolean;
  /** Of a URL that is not allowed. */
  readonly category: string;
  readonly crawlDelayMs: number;
  readonly told: Answer;
}

async function robotsOf(probe: FetchProbe, url: CanonicalUrl): Promise<Rules> {
  const redirects: string[] = [];
  let at = canonicalize(`${url.origin}/robots.txt`);
  for (;;) {
    if (at.kind === "refused")
      throw new Error(`the origin of a canonical URL has no robots.txt: ${at.detail}`);
    const asked = await ask(probe, at, robotsBytesMax, probe.delayMs);
    const { answer } = asked;
    const told = { url: at.url, redirects, addresses: asked.addresses, ...exchange(asked) };
    if (answer.kind === "failed") {
      const allowed = { allowed: false, reason: `robots.txt can't be had: ${answer.message}` };
      return { allowed: false, category: answer.category, crawlDelayMs: 0, told: { ...allowed, ...told } };
    }
    const isRedirect = answer.status >= 300 && answer.status < 400 && answer.location !== null;
    const target = isRedirect ? canonicalize(answer.location ?? "", at.url) : null;
    if (target?.kind === "url" && redirects.length < robotsRedirectsMax) {
      redirects.push(target.url);
      at = target;
      continue;
    }
    return rulesOf(url, answer.status, answer.body, told);
  }
}

function rulesOf(url: CanonicalUrl, status: number, body: Uint8Array, told: Answer): Rules {
  const rule = robotsForStatus(status);
  if (rule === "disallow_all") {
    const decision = { allowed: false, reason: `status ${status} disallows everything (RFC 9309 §2.3.1.4)` };
    return {
      allowed: false,
      category: "robots_unreachable",
      crawlDelayMs: 0,
      told: { ...decision, ...told },
    };
  }
  const robots: Robots | null = rule === "parse" ? parseRobots(body) : null;
  if (robots === null) {
    const decision = { allowed: true, reason: `status ${status} allows everything (RFC 9309 §2.3.1.3)` };
    return { allowed: true, category: "ok", crawlDelayMs: 0, told: { ...decision, ...told } };
  }
  const decision = robots.decide(robotsToken, url.path);
  const crawlDelayMs = robots.crawlDelayMs(robotsToken);
  const facts = { ...decision, crawl_delay_ms: crawlDelayMs, sitemaps: robots.sitemaps };
  return {
    allowed: decision.allowed,
    category: "robots",
    crawlDelayMs: crawlDelayMs ?? 0,
    told: { ...facts, ...told },
  };
}

/** What every request has: how it ended, and how long it took. */
function exchange({ answer, waitedMs }: Asked): Answer {
  const timings = { waited_ms: waitedMs, duration_ms: rounded(answer.durationMs) };
  if (answer.kind === "failed") {
    const { category, code, message } = answer;
    return { status: null, error: { category, code, message }, timings };
  }
  return { status: answer.status, timings: { ...timings, ttfb_ms: rounded(answer.ttfbMs) } };
}

function pageAnswer(url: CanonicalUrl, asked: Asked): Answer {
  const { answer } = asked;
  if (answer.kind === "failed") return exchange(asked);
  const isRedirect = answer.status >= 300 && answer.status < 400 && answer.location !== null;
  const target = isRedirect ? canonicalize(answer.location ?? "", url.url) : null;
  const page =
    answer.status >= 200 && answer.status < 300 ? readPage(url.url, answer.headers, answer.body) : null;
  return {
    ...exchange(asked),
    remote_address: answer.remoteAddress,
    headers: answer.headers,
    redirect_to: target === null ? null : target.kind === "url" ? target.url : answer.location,
    body_bytes: answer.bodyBytes,
    wire_bytes: answer.wireBytes,
    truncated: answer.truncated,
    content_type: answer.headers["content-type"] ?? null,
    charset: page?.charset ?? null,
    title: page?.title ?? null,
    lang: page?.lang ?? null,
    canonical_url: page?.canonicalUrl ?? null,
    noindex: page?.noindex ?? false,
    nofollow: page?.nofollow ?? false,
    links_count: page?.links.length ?? 0,
  };
}

const rounded = (ms: number): number => Math.round(ms * 10) / 10;
