/** The simulated servers: what they answer and when, and what they saw. */
import { gzipSync } from "node:zlib";
import type { Random, SimClock } from "@sluice/broker/memory";
import type { FetchAnswer, FetchRequest, HttpClient } from "@sluice/http";
import type { FetchFailure } from "@sluice/records";
import {
  type HostDefinition,
  noSitemaps,
  type PageDefinition,
  pageAt,
  robotsPathOf,
  robotsRules,
  type SitemapFile,
  type Target,
  urlOf,
} from "./site.ts";

/** One request as a server sees it, by the servers' own clock. */
export interface Visit {
  readonly host: number;
  readonly path: string;
  readonly isRobots: boolean;
  /** Name of the life that asked. */
  readonly by: string;
  readonly startMs: number;
  /** When the connection ended; infinite while it is open. */
  endMs: number;
}

/** What is told of visits, as they happen. */
export interface WebObserver {
  began(visit: Visit): void;
  /** The client heard the answer: a status, or how it failed. For robots.txt with the rules that it had. */
  answered(
    visit: Visit,
    answer: {
      readonly status: number | null;
      readonly rules: readonly string[] | null;
      readonly retryAfterMs: number | null;
    },
  ): void;
}

/** A client process as the web knows it. */
export interface Visitor {
  readonly name: string;
  readonly clock: SimClock;
  readonly isAlive: () => boolean;
  readonly open: Set<Visit>;
}

type Outcome =
  | { readonly kind: "page"; readonly page: PageDefinition }
  | {
      readonly kind: "status";
      readonly status: number;
      readonly headers: Readonly<Record<string, string>>;
      readonly body: string | Uint8Array<ArrayBuffer>;
    }
  | { readonly kind: "failed"; readonly category: FetchFailure; readonly atMs: number };

export class SimulatedWeb {
  readonly #hosts: readonly HostDefinition[];
  readonly #numbers: ReadonlyMap<string, number>;
  readonly #clock: SimClock;
  readonly #startMs: number;
  readonly #random: Random;
  readonly #observer: WebObserver;
  readonly #visitsOf = new Map<string, number>();
  requests = 0;

  constructor(hosts: readonly HostDefinition[], clock: SimClock, random: Random, observer: WebObserver) {
    this.#hosts = hosts;
    this.#numbers = new Map(hosts.map(({ name }, number) => [name, number]));
    this.#clock = clock;
    this.#startMs = clock.nowMs();
    this.#random = random;
    this.#observer = observer;
  }

  /** The way out of one process. */
  client(visitor: Visitor): Pick<HttpClient, "fetch"> {
    return { fetch: (request, signal) => this.#fetch(visitor, request, signal) };
  }

  /** The process is dead: its connections end. */
  disconnect(visitor: Visitor): void {
    for (const visit of visitor.open) visit.endMs = Math.min(visit.endMs, this.#clock.nowMs());
    visitor.open.clear();
  }

  #fetch(visitor: Visitor, request: FetchRequest, signal: AbortSignal): Promise<FetchAnswer> {
    if (!visitor.isAlive()) return new Promise(() => undefined);
    if (signal.aborted) return Promise.resolve(failed("cancelled", false, 0));
    const { number, path } = this.#placeOf(request.url);
    const host = this.#hosts[number];
    const nowMs = this.#clock.nowMs();
    if (host === undefined) return Promise.resolve(failed("dns", false, 0));
    this.requests += 1;
    const isRobots = path === "/robots.txt" || path === "/robots2.txt" || robotsOf(path) !== null;
    const visit: Visit = {
      host: number,
      path,
      isRobots,
      by: visitor.name,
      startMs: nowMs,
      endMs: Number.POSITIVE_INFINITY,
    };
    this.#observer.began(visit);
    visitor.open.add(visit);
    const latencyMs = this.#random.between(host.latencyMs[0], host.latencyMs[1]);
    const outcome = this.#outcome(host, number, path, nowMs);
    const endMs =
      outcome.kind === "failed"
        ? Math.min(nowMs + outcome.atMs, nowMs + request.totalTimeoutMs)
        : nowMs + latencyMs;
    // The server ends by its own clock what it began, also with a client that is frozen or gone by then.
    this.#clock.setTimer(endMs, () => {
      visit.endMs = Math.min(visit.endMs, endMs);
      visitor.open.delete(visit);
    });
    return new Promise((resolve) => {
      const cancel = visitor.clock.setTimer(endMs, () => {
        if (signal.aborted) return;
        this.#tell(visit, outcome, host);
        resolve(this.#answer(request, outcome, host, endMs - nowMs));
      });
      signal.addEventListener("abort", () => {
        cancel();
        visit.endMs = Math.min(visit.endMs, this.#clock.nowMs());
        visitor.open.delete(visit);
        resolve(failed("cancelled", true, this.#clock.nowMs() - nowMs));
      });
    });
  }

  #placeOf(url: string): { number: number; path: string } {
    const from = url.indexOf("//") + 2;
    const slash = url.indexOf("/", from);
    return { number: this.#numbers.get(url.slice(from, slash)) ?? -1, path: url.slice(slash) };
  }

  #outcome(host: HostDefinition, number: number, path: string, nowMs: number): Outcome {
    const atMs = nowMs - this.#startMs;
    const { health } = host;
    const refused: Outcome = { kind: "failed", category: "connect", atMs: 2 };
    const stuck: Outcome = { kind: "failed", category: "timeout_headers", atMs: Number.POSITIVE_INFINITY };
    if (health.kind === "refused") return refused;
    if (health.kind === "tarpit") return stuck;
    if (health.kind === "dying" && atMs >= health.atMs) return health.into === "refused" ? refused : stuck;
    if (health.kind === "recovering" && atMs < health.atMs) return refused;
    const key = `${number}${path}`;
    const before = this.#visitsOf.get(key) ?? 0;
    this.#visitsOf.set(key, before + 1);
    if (path === "/robots.txt" || path === "/robots2.txt")
      return this.#robots(host, number, path, before, atMs);
    const subject = this.#hosts[robotsOf(path) ?? -1];
    if (subject !== undefined) return this.#robots(subject, -1, path, before, atMs);
    const file = host.sitemaps?.files.get(path);
    if (file !== undefined) {
      if (before < file.troubles) return { kind: "status", status: 500, headers: {}, body: "" };
      const body = written(file, (target) => urlOf(this.#hosts, target));
      return { kind: "status", status: 200, headers: { "content-type": "application/xml" }, body };
    }
    const page = pageAt(host, number, path);
    if (before >= page.troubles) return { kind: "page", page };
    switch (page.trouble) {
      case "reset":
        return { kind: "failed", category: "reset", atMs: 5 };
      case "http_429":
        return {
          kind: "status",
          status: 429,
          headers: { "retry-after": String(host.retryAfterS) },
          body: "",
        };
      case "http_500":
        return { kind: "status", status: 500, headers: {}, body: "" };
      default:
        return page.trouble satisfies never;
    }
  }

  #robots(
    { robots, retryAfterS, sitemaps = noSitemaps }: HostDefinition,
    number: number,
    path: string,
    before: number,
    atMs: number,
  ): Outcome {
    const status = (code: number, body = "", headers = {}): Outcome => ({
      kind: "status",
      status: code,
      headers,
      body,
    });
    switch (robots.kind) {
      case "absent":
        return status(404);
      case "broken":
        return status(503, "", { "retry-after": String(retryAfterS) });
      case "rules": {
        if (path === "/robots.txt" && before < robots.troubles) return status(503);
        if (path === "/robots.txt" && robots.redirected) return status(302, "", { location: "/robots2.txt" });
        if (path === "/robots.txt" && robots.elsewhere !== undefined)
          return status(307, "", {
            location: urlOf(this.#hosts, { host: robots.elsewhere, path: robotsPathOf(number) }),
          });
        const lines = ["User-agent: *", ...robotsRules(robots, atMs).map((rule) => `Disallow: ${rule}`)];
        if (robots.crawlDelayS !== null) lines.push(`Crawl-delay: ${robots.crawlDelayS}`);
        for (const target of sitemaps.named) lines.unshift(`Sitemap: ${urlOf(this.#hosts, target)}`);
        return status(200, `${lines.join("\n")}\n`, { "content-type": "text/plain" });
      }
      default:
        return robots satisfies never;
    }
  }

  #tell(visit: Visit, outcome: Outcome, host: HostDefinition): void {
    const status =
      outcome.kind === "page" ? outcome.page.status : outcome.kind === "status" ? outcome.status : null;
    const retryAfter = outcome.kind === "status" ? outcome.headers["retry-after"] : undefined;
    this.#observer.answered(visit, {
      status,
      rules:
        visit.isRobots && status === 200
          ? robotsRules(
              (this.#hosts[robotsOf(visit.path) ?? visit.host] ?? host).robots,
              visit.startMs - this.#startMs,
            )
          : null,
      retryAfterMs: retryAfter === undefined ? null : Number(retryAfter) * 1000,
    });
  }

  #answer(request: FetchRequest, outcome: Outcome, host: HostDefinition, durationMs: number): FetchAnswer {
    if (outcome.kind === "failed")
      return failed(outcome.category, outcome.category !== "connect", durationMs);
    const { status, headers, body } = outcome.kind === "page" ? rendered(outcome.page) : outcome;
    const bytes = typeof body === "string" ? encoder.encode(body) : body;
    return {
      kind: "response",
      status,
      headers,
      setCookies: [],
      body: bytes,
      truncated: false,
      bodySkipped: false,
      bodyBytes: bytes.length,
      wireBytes: bytes.length,
      remoteAddress: host.name,
      ttfbMs: durationMs,
      durationMs,
      location: headers["location"] ?? null,
      httpVersion: "1.1",
    };
  }
}

/** Whose robots.txt a path of another host is. */
export function robotsOf(path: string): number | null {
  const found = /^\/robots-of\/(\d+)$/.exec(path);
  return found === null ? null : Number(found[1]);
}

const encoder = new TextEncoder();
const html = { "content-type": "text/html; charset=utf-8" };

function written({ kind, listed, lies }: SitemapFile, url: (target: Target) => string) {
  const urls = [...listed.map(url), ...lies];
  if (kind === "html") return "<!doctype html><title>not found</title><a href='/p/1'>x</a>";
  if (kind === "text") return urls.join("\r\n");
  const [root, each] = kind === "index" ? ["sitemapindex", "sitemap"] : ["urlset", "url"];
  const entries = urls.map((loc) => `<${each}><loc>${loc}</loc><priority>0.9</priority></${each}>`);
  const xml = `<?xml version="1.0"?><${root}>${entries.join("")}</${root}>`;
  return kind === "packed" ? new Uint8Array(gzipSync(xml)) : xml;
}

function rendered(page: PageDefinition): {
  status: number;
  headers: Readonly<Record<string, string>>;
  body: string;
} {
  if (page.location !== null)
    return { status: page.status, headers: { ...html, location: page.location.href }, body: "" };
  const headers = page.nofollow ? { ...html, "x-robots-tag": "nofollow" } : html;
  const anchors = page.links.map(({ href }) => `<a href="${href}">x</a>`).join("");
  const filler = page.fillBytes > 0 ? `<p>${"filler ".repeat(page.fillBytes / 7)}</p>` : "";
  return { status: page.status, headers, body: `<!doctype html><title>t</title>${anchors}${filler}` };
}

function failed(category: FetchFailure, requestSent: boolean, durationMs: number): FetchAnswer {
  return {
    kind: "failed",
    category,
    code: category.toUpperCase(),
    message: category,
    requestSent,
    durationMs,
  };
}
