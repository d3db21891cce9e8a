import { jobSchema, type Job, type Permit } from "@sluice/records";
import { canonicalize } from "@sluice/web";
import type { FetchCall, FetchOutcome, Headed } from "../src/calls.ts";

type Fields = Readonly<Record<string, string>>;
type PageOutcome = Extract<FetchOutcome, { kind: "page" }>;
type RobotsOutcome = Extract<FetchOutcome, { kind: "robots" }>;
type Failed = Extract<PageOutcome["answer"], { kind: "failed" }>;

/** Answers of the world and records for the fetcher, from the few fields that matter. */

/** For calls that nothing waits for. */
export const noWait: Pick<FetchCall, "wait" | "forgetFailuresBeforeMs"> = {
  forgetFailuresBeforeMs: 0,
  wait: {
    job: "j",
    waitMs: 0,
    waitSource: "delay",
    sinceEndMs: null,
    sinceStartMs: null,
    concurrency: 1,
    perMinute: 1,
    perMinuteMax: null,
  },
};

export function jobOf(id: string, fields: Fields): Job {
  return jobSchema.parse({
    id,
    run: Number(fields["run"] ?? 1),
    desired: fields["desired"] ?? "running",
    seeds: fields["seeds"]?.split(",") ?? [],
    scope: { kind: fields["scope"] ?? "any", traps: fields["traps"] },
    canonical: {
      dropTracking: fields["drop"]?.includes("tracking") ?? false,
      dropSessionIds: fields["drop"]?.includes("sessions") ?? false,
    },
    limits: { maxDepth: fields["maxDepth"] === undefined ? null : Number(fields["maxDepth"]) },
    urlEvents: fields["urlEvents"],
    fetch: { attemptsMax: Number(fields["attempts"] ?? 3), pageFlags: fields["pageFlags"] },
  });
}

export function permitOf(raw: string, nowMs: number, fields: Fields): Permit {
  const url = canonicalize(raw);
  if (url.kind === "refused") throw new Error(`${raw}: ${url.detail}`);
  return {
    releaseId: `r-${url.path}`,
    job: fields["job"] ?? "default",
    run: Number(fields["run"] ?? 1),
    url: url.url,
    urlId: url.urlId,
    depth: Number(fields["depth"] ?? 0),
    root: fields["root"] ?? null,
    parent: null,
    redirects: 0,
    attempt: Number(fields["attempt"] ?? 1),
    releasedAtMs: nowMs,
    leaseUntilMs: nowMs + Number(fields["lease"] ?? 600) * 1000,
    notBeforeMs: nowMs + Number(fields["in"] ?? 0) * 1000,
    delayMs: Number(fields["delayMs"] ?? 1000),
    concurrency: Number(fields["concurrency"] ?? 1),
    intervalMs: Number(fields["intervalMs"] ?? 0),
    waitSource: "delay",
  };
}

function failed(category: string): Failed {
  return {
    kind: "failed",
    category: category as Failed["category"],
    code: "E_TEST",
    message: "it failed",
    requestSent: true,
    durationMs: 5,
  };
}

function breakerOf(nowMs: number, fields: Fields): FetchOutcome["breaker"] {
  const seconds = fields["breaker"];
  return seconds === undefined
    ? { state: "closed", retryAtMs: null }
    : { state: "open", retryAtMs: nowMs + Number(seconds) * 1000 };
}

/** `rules` are lines of robots.txt for all agents. */
export function robotsAnswer(
  nowMs: number,
  status: string,
  rules: readonly string[],
  fields: Fields,
): RobotsOutcome {
  const breaker = breakerOf(nowMs, fields);
  if (status === "open")
    return {
      kind: "robots",
      answer: { kind: "breaker_open", retryAtMs: breaker.retryAtMs ?? nowMs },
      breaker,
    };
  if (!/^[0-9]+$/.test(status)) return { kind: "robots", answer: failed(status), breaker };
  return {
    kind: "robots",
    answer: {
      kind: "response",
      status: Number(status),
      location: fields["location"] ?? null,
      body: new TextEncoder().encode(["User-agent: *", ...rules].join("\n")),
      retryAfterMs: fields["retryAfter"] === undefined ? null : Number(fields["retryAfter"]) * 1000,
    },
    breaker,
  };
}

export function pageAnswer(nowMs: number, status: string, fields: Fields): PageOutcome {
  const breaker = breakerOf(nowMs, fields);
  const none = { egress: null, content: null, retryAfterMs: null };
  if (status === "open")
    return {
      kind: "page",
      ...none,
      answer: { kind: "breaker_open", retryAtMs: breaker.retryAtMs ?? nowMs },
      breaker,
    };
  if (!/^[0-9]+$/.test(status)) return { kind: "page", ...none, answer: failed(status), breaker };
  const answer: Headed = {
    kind: "response",
    status: Number(status),
    headers: { "content-type": "text/html" },
    setCookies: [],
    truncated: false,
    bodySkipped: false,
    bodyBytes: 100,
    wireBytes: 90,
    remoteAddress: "192.0.2.1",
    ttfbMs: 20,
    durationMs: 30,
    location: fields["location"] ?? null,
    httpVersion: "1.1",
  };
  const nofollow = fields["nofollow"] === "1";
  const links = (fields["links"]?.split(",") ?? []).flatMap((raw) => {
    const url = canonicalize(raw);
    return url.kind === "url" && !nofollow ? [url] : [];
  });
  const content = {
    contentType: "text/html",
    charset: "utf-8",
    bodySha256: null,
    title: fields["title"] ?? null,
    description: null,
    lang: null,
    canonicalUrl: null,
    extractedJson: fields["extracted"] ?? null,
    extractionNote: fields["note"] ?? null,
    unreadReason: fields["unread"] ?? null,
    noindex: fields["noindex"] !== undefined,
    nofollow,
    noarchive: fields["noarchive"] !== undefined,
    links,
    linksTruncated: false,
  };
  return {
    kind: "page",
    answer,
    egress: null,
    content: answer.status < 300 ? content : null,
    retryAfterMs: fields["retryAfter"] === undefined ? null : Number(fields["retryAfter"]) * 1000,
    breaker,
  };
}
