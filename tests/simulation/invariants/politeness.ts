/** What hosts are promised, measured in the simulated servers: gaps, connections, robots.txt, Retry-After. */
import type { SimClock } from "@sluice/broker/memory";
import { partitionOf, politenessKeyOf } from "@sluice/records";
import { registrableDomain } from "@sluice/web";
import type { LifeName, Observer, Report, StepSeen } from "../observer.ts";
import type { Plan } from "../plan.ts";
import { isForbidden } from "../site.ts";
import { robotsOf, type Visit, type WebObserver } from "../web.ts";

/** The mildest of what the jobs that know a host of the domain ask for. */
interface Manners {
  delayMs: number;
  concurrency: number;
  /** Requests that may not be reached in any minute. */
  perMinute: number;
}

/** What one process was told of a host by its robots.txt, and asked for by Retry-After. */
interface Knowledge {
  robots: { readonly rules: readonly string[] | null; readonly atMs: number } | null;
  holdUntilMs: number;
}

const unknownManners: Manners = { delayMs: 0, concurrency: 1, perMinute: Infinity };

/** A call may wait for a slot or for the group's answer before it begins. */
const queuedMsMax = 10_000;

export class PolitenessChecks implements Observer, WebObserver {
  readonly #clock: SimClock;
  readonly #plan: Plan;
  readonly #report: Report;
  /** By number of the host: what it shares its clock with. */
  readonly #domains: readonly string[];
  readonly #manners: ReadonlyMap<string, Manners>;
  readonly #last = new Map<string, Visit>();
  readonly #open = new Map<string, Visit[]>();
  /** Starts of the last minute, where there is a limit. */
  readonly #minutes = new Map<string, number[]>();
  readonly #knowledge = new Map<string, Knowledge>();
  /** What was read of a host's robots.txt at another host, by whatever process. */
  readonly #readElsewhere = new Map<number, Knowledge["robots"]>();

  constructor(plan: Plan, clock: SimClock, report: Report) {
    this.#plan = plan;
    this.#clock = clock;
    this.#report = report;
    this.#domains = plan.hosts.map(({ name }) =>
      politenessKeyOf(plan.politenessKey, name, registrableDomain),
    );
    this.#manners = new Map(
      this.#domains.map((domain) => {
        const jobs = plan.jobs
          .filter(({ hosts }) => hosts.some((host) => this.#domains[host] === domain))
          .map(({ job }) => job.politeness);
        const delayMs = Math.min(...jobs.map((each) => each.delayMs));
        const concurrency = Math.max(...jobs.map(({ concurrencyPerHost }) => concurrencyPerHost));
        const perMinute = Math.max(...jobs.map((each) => each.requestsPerMinuteMax ?? Infinity));
        return [domain, { delayMs, concurrency, perMinute }];
      }),
    );
  }

  /** A task taken up anew knows nothing of what its last owner was told, even where that was the same process. */
  stepped(life: LifeName, { input, context }: StepSeen): void {
    if (life.service !== "fetcher" || input.kind !== "restored") return;
    for (const [host, domain] of this.#domains.entries()) {
      if (partitionOf(domain, this.#plan.partitions) === context.task)
        this.#knowledge.delete(`${life.name}/${host}`);
    }
  }

  began(visit: Visit): void {
    const domain = this.#domains[visit.host] ?? "";
    const { delayMs, concurrency, perMinute } = this.#manners.get(domain) ?? unknownManners;
    const last = this.#last.get(domain);
    this.#last.set(domain, visit);
    const show = (): string => `${text(visit)} after ${last === undefined ? "none" : text(last)}`;
    if (last !== undefined && visit.startMs - last.startMs < delayMs)
      this.#report("requests to a host are a delay apart", `${delayMs} ms: ${show()}`);
    const isSameProcess = last?.by === visit.by;
    if (concurrency === 1 && isSameProcess && visit.startMs - last.endMs < delayMs)
      this.#report("a request waits a delay from the end of the one before", `${delayMs} ms: ${show()}`);
    const open = (this.#open.get(domain) ?? []).filter(({ endMs }) => endMs > visit.startMs);
    open.push(visit);
    this.#open.set(domain, open);
    if (open.length > concurrency)
      this.#report(
        "a host has no more connections than allowed",
        `${concurrency}: ${open.map(text).join(", ")}`,
      );
    this.#checkMinute(domain, visit, perMinute);
    const known = this.#of(visit);
    if (visit.startMs < known.holdUntilMs)
      this.#report("Retry-After is kept", `${text(visit)}, asked to wait until ${known.holdUntilMs}`);
    if (visit.isRobots) return;
    this.#checkRobots(visit, known);
    if (last !== undefined) this.#checkCrawlDelay(visit, last);
  }

  answered(visit: Visit, answer: Parameters<WebObserver["answered"]>[1]): void {
    const known = this.#of(visit);
    const nowMs = this.#clock.nowMs();
    if (answer.retryAfterMs !== null)
      known.holdUntilMs = Math.max(known.holdUntilMs, nowMs + answer.retryAfterMs);
    if (!visit.isRobots) return;
    const { status } = answer;
    const subject = robotsOf(visit.path);
    if (subject !== null) {
      if (answer.rules !== null) this.#readElsewhere.set(subject, { rules: answer.rules, atMs: nowMs });
      return;
    }
    if (status === null || status >= 500 || (status >= 300 && status < 400))
      known.robots = { rules: null, atMs: nowMs };
    else known.robots = { rules: answer.rules ?? [], atMs: nowMs };
  }

  #checkRobots(visit: Visit, known: Knowledge): void {
    const definition = this.#plan.hosts[visit.host]?.robots;
    const isElsewhere = definition?.kind === "rules" && definition.elsewhere !== undefined;
    const robots = isElsewhere ? (this.#readElsewhere.get(visit.host) ?? null) : known.robots;
    if (robots === null) return this.#report("robots.txt is asked for first", text(visit));
    if (robots.rules === null)
      return this.#report("nothing is fetched while robots.txt can't be had", text(visit));
    if (isForbidden(robots.rules, visit.path))
      this.#report("nothing is fetched that robots.txt forbids", text(visit));
    if (visit.startMs - robots.atMs > this.#plan.settings.fetcher.robotsTtlMs + queuedMsMax)
      this.#report("robots.txt is asked for again when it is old", text(visit));
  }

  /** By then the process has read robots.txt, so at the latest from its first page on the gap is that long. */
  #checkCrawlDelay(visit: Visit, last: Visit): void {
    const definition = this.#plan.hosts[visit.host]?.robots;
    const askedMs = definition?.kind === "rules" ? (definition.crawlDelayS ?? 0) * 1000 : 0;
    const delayMs = Math.min(askedMs, ...this.#plan.jobs.map(({ job }) => job.politeness.delayMaxMs));
    if (visit.startMs - last.startMs < delayMs)
      this.#report(
        "the crawl-delay of robots.txt is kept",
        `${delayMs} ms: ${text(visit)} after ${text(last)}`,
      );
  }

  #checkMinute(domain: string, { startMs }: Visit, perMinute: number): void {
    if (perMinute === Infinity) return;
    const starts = (this.#minutes.get(domain) ?? []).filter((atMs) => startMs - atMs < 60_000);
    starts.push(startMs);
    this.#minutes.set(domain, starts);
    if (starts.length >= perMinute)
      this.#report(
        "requests to a host stay below their limit in any minute",
        `${domain}: ${starts.length} of ${perMinute}, from ${starts[0]} to ${startMs}`,
      );
  }

  #of(visit: Visit): Knowledge {
    const key = `${visit.by}/${visit.host}`;
    const known = this.#knowledge.get(key) ?? { robots: null, holdUntilMs: 0 };
    this.#knowledge.set(key, known);
    return known;
  }
}

const text = ({ host, path, by, startMs, endMs }: Visit): string =>
  `h${host}${path} by ${by} at ${startMs}..${endMs}`;
