import {
  hostOf,
  topics,
  type CrawlEvent,
  type Due,
  type ErrandAnswer,
  type Host,
  type Outcome,
  type Permit,
} from "@sluice/records";
import type { Domain } from "./domains.ts";
import { isDead, lifeOf } from "./dead-host.ts";
import { holdOf, spacingOf, startOf, type Politeness } from "./pace.ts";
import type { Turn } from "./turn.ts";

/** Past its lease nobody may start it; the frontier releases it again. */
export function expire(turn: Turn, domain: Domain, due: Due): void {
  answer(turn, domain, due, { kind: "expired", category: "expired", detail: "the lease is over" });
}

/** Not before `dueAtMs`: it waits in the frontier until then. */
export function defer(turn: Turn, domain: Domain, due: Due, dueAtMs: number, politeness: Politeness): void {
  const detail = whyDeferred(turn, domain, politeness);
  answer(turn, domain, due, { kind: "deferred", category: "deferred", dueAtMs: Math.ceil(dueAtMs), detail });
}

/** The host is dead: the URL is given up without a fetch. */
export function refuseUnreachable(turn: Turn, domain: Domain, due: Due): void {
  const { deadFailures, lastFailure } = lifeOf(domain, hostOf(due.url));
  const detail = `the host failed ${deadFailures} times in a row, the last time with ${lastFailure ?? "no reason"}`;
  refuse(turn, domain, due, "host_unreachable", detail);
}

/** The operator has said that the host is not to be asked. */
export function refuseBlocked(turn: Turn, domain: Domain, due: Due, reason: string): void {
  refuse(turn, domain, due, "blocked", reason);
}

/** The URL is given up, with an event and a reason, as any refusal. */
function refuse(turn: Turn, domain: Domain, due: Due, category: string, detail: string): void {
  if (due.errand !== undefined) return sendBack(turn, due, { kind: "refused", message: detail });
  const event: CrawlEvent = {
    type: "url_failed",
    job: due.job,
    run: due.run,
    atMs: turn.nowMs,
    url: due.url,
    depth: due.depth,
    category,
    detail,
    attempt: due.attempt,
    refused: true,
    final: true,
    ...(due.sitemap === undefined ? {} : { sitemap: due.sitemap }),
  };
  turn.out.push({ kind: "send", topic: topics.events.name, key: due.job, value: event });
  answer(turn, domain, due, { kind: "refused", category, detail });
}

type AnswerFields = Pick<Outcome, "kind" | "category" | "detail"> & Partial<Pick<Outcome, "dueAtMs">>;

function answer(turn: Turn, domain: Domain, due: Due, fields: AnswerFields): void {
  if (due.errand !== undefined)
    return sendBack(turn, due, { kind: "held", untilMs: fields.dueAtMs ?? turn.nowMs });
  const outcome: Outcome = {
    releaseId: due.releaseId,
    job: due.job,
    run: due.run,
    urlId: due.urlId,
    attempt: due.attempt,
    by: "rate-limit",
    ok: false,
    dueAtMs: null,
    linkRecords: 0,
    links: 0,
    requests: 0,
    endedAtMs: null,
    latencyMs: null,
    retryAfterMs: null,
    crawlDelayMs: null,
    breakerUntilMs: null,
    ...fields,
  };
  turn.out.push({ kind: "send", topic: topics.outcomes.name, key: domain.name, value: outcome });
}

/** Nobody asks for what another domain's robots.txt redirects to: who owns the permit there decides what follows. */
function sendBack({ out }: Turn, { url, errand }: Due, said: ErrandAnswer["said"]): void {
  if (errand === undefined) throw new Error(`${url} is no errand`);
  const value: Permit = { ...errand.permit, answer: { url, hops: errand.hops, said } };
  out.push({ kind: "send", topic: topics.permits.name, key: errand.domain, value });
}

/** The reason of a deferral: what holds the domain, or only that its queue is too long for its delay. */
function whyDeferred({ nowMs, options }: Turn, { pace }: Domain, politeness: Politeness): string {
  const { hold } = holdOf(pace, politeness.delayMs, nowMs);
  if (hold !== "none") return hold;
  const { source, ms } = startOf(pace, politeness, options);
  return source === "cap" && ms - nowMs > options.waitMaxMs ? "cap" : "queue";
}

/** Tells `crawl.hosts` when what holds the domain has changed, or its wait by much. */
export function tell(turn: Turn, domain: Domain, politeness: Politeness): void {
  const { out, nowMs, options } = turn;
  const { pace } = domain;
  const { hold, untilMs } = holdOf(pace, politeness.delayMs, nowMs);
  const spacing = spacingOf(pace, politeness, options);
  const { intervalMs } = politeness;
  const givenUpHosts = [...domain.lives].filter(([, life]) => isDead(life, options)).map(([host]) => host);
  const told = [
    hold,
    untilMs ?? "",
    spacing.source,
    Math.round(Math.log2(spacing.ms + 1)),
    intervalMs,
    pace.breaker,
    pace.robotsStatus ?? "",
    pace.robotsReadAtMs ?? "",
    pace.crawlDelayMs ?? "",
    isDead(pace, options),
    ...givenUpHosts,
  ].join(" ");
  if (told === domain.told) return;
  domain.told = told;
  const host: Host = {
    domain: domain.name,
    hold,
    holdUntilMs: untilMs,
    delayMs: spacing.ms,
    delaySource: spacing.source,
    perMinuteMax: intervalMs === 0 ? null : Math.round(60_000 / intervalMs),
    crawlDelayMs: pace.crawlDelayMs,
    failuresInRow: pace.failuresInRow,
    givenUp: isDead(pace, options),
    givenUpHosts,
    latencyMs: pace.latencyMs === null ? null : Math.round(pace.latencyMs),
    breaker: pace.breaker,
    breakerUntilMs: pace.breakerUntilMs > nowMs ? Math.ceil(pace.breakerUntilMs) : null,
    robotsStatus: pace.robotsStatus,
    robotsReadAtMs: pace.robotsReadAtMs,
    updatedAtMs: nowMs,
  };
  out.push({ kind: "send", topic: topics.hosts.name, key: domain.name, value: host, latest: true });
}

/** Takes back what `crawl.hosts` was told of a domain. */
export function tellForgotten(turn: Turn, domain: Domain): void {
  if (domain.told === "") return;
  turn.out.push({ kind: "send", topic: topics.hosts.name, key: domain.name, value: null, latest: true });
}
