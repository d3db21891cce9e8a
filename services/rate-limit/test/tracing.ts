import {
  jobSchema,
  policySchema,
  topics,
  type CrawlEvent,
  type Host,
  type Job,
  type Outcome,
  type Permit,
  type Policy,
} from "@sluice/records";
import { StepDriver, type SentRecord, type TraceCommand } from "@sluice/topology/testing";
import { defaultPaceOptions } from "../src/options.ts";
import type { RateLimitState } from "../src/core/domains.ts";
import { rateLimitStep, type RateLimitRecord } from "../src/step.ts";
import { dueOf } from "./records.ts";

const startMs = 1_000_000_000_000;

/** rate-limit under the commands of a trace. Instants are seconds since its start. */
export class RateLimitTrace {
  readonly #driver = new StepDriver<RateLimitState, RateLimitRecord>({
    step: rateLimitStep(defaultPaceOptions),
    nowMs: startMs,
  });

  /** What holds a host, as it was told last. */
  readonly #told = new Map<string, string>();

  readonly perform = ({
    name,
    words: [first = "", second = ""],
    fields,
    line,
  }: TraceCommand): readonly string[] => {
    switch (name) {
      case "job":
        this.#driver.table(topics.jobs.name, first, jobOf(first, fields));
        break;
      case "policy":
        this.#driver.table(topics.policies.name, first, policyOf(fields));
        break;
      case "due":
        for (const id of second.split(",")) this.#due(first, id, fields);
        break;
      case "outcome":
        this.#outcome(first, second, fields);
        break;
      case "failures":
        this.#failures(first, Number(second), fields);
        break;
      case "advance":
        this.#driver.advance(Number(first) * 1000);
        break;
      case "restart":
        this.#driver.restart();
        break;
      case "crash":
        this.#driver.restartFromCommit();
        break;
      case "commit":
        this.#driver.commit();
        break;
      case "state": {
        const domains = [...this.#driver.state.domains].map(
          ([domain, { waiting, out }]) => `${domain} waiting=${waiting.size} out=${out.size}`,
        );
        return [
          `at ${this.#seconds(this.#driver.nowMs)}`,
          ...domains,
          ...[...this.#driver.entries.keys()].map((key) => `entry ${key}`),
        ];
      }
      default:
        throw new Error(`no command ${line}`);
    }
    const happened = this.#driver
      .takeSent()
      .map((record) => this.#lineOf(record))
      .filter((text) => text !== null);
    this.#driver.end();
    return happened;
  };

  #due(domain: string, id: string, fields: Readonly<Record<string, string>>): void {
    const { nowMs } = this.#driver;
    const due = dueOf(domain, id, nowMs, {
      job: fields["job"] ?? "default",
      leaseUntilMs: nowMs + Number(fields["lease"] ?? 600) * 1000,
    });
    this.#driver.feed(topics.due.name, domain, due);
  }

  #outcome(domain: string, id: string, fields: Readonly<Record<string, string>>): void {
    const seconds = (name: string): number | null =>
      fields[name] === undefined ? null : Number(fields[name]) * 1000;
    const category = fields["category"] ?? "ok";
    const outcome: Outcome = {
      releaseId: id,
      job: fields["job"] ?? "default",
      run: 1,
      urlId: id,
      attempt: 1,
      by: "fetcher",
      kind: (fields["kind"] ?? "settled") as Outcome["kind"],
      category,
      ok: category === "ok",
      dueAtMs: null,
      linkRecords: 0,
      links: 0,
      requests: Number(fields["requests"] ?? 1),
      endedAtMs: this.#driver.nowMs,
      latencyMs: Number(fields["latencyMs"] ?? 50),
      retryAfterMs: seconds("retryAfter"),
      crawlDelayMs: seconds("crawlDelay"),
      breakerUntilMs:
        fields["breaker"] === undefined ? null : this.#driver.nowMs + Number(fields["breaker"]) * 1000,
      detail: null,
    };
    this.#driver.feed(topics.outcomes.name, domain, outcome);
  }

  /** URLs f1, f2, … of a domain, each due when the one before has failed, and permitted at once. */
  #failures(domain: string, count: number, fields: Readonly<Record<string, string>>): void {
    for (let index = 1; index <= count; index += 1) {
      this.#driver.advance(Number(fields["every"] ?? 300) * 1000);
      this.#due(domain, `f${index}`, {});
      this.#outcome(domain, `f${index}`, { ...fields, kind: "retry" });
    }
  }

  #lineOf({ topic, key, value }: SentRecord): string | null {
    if (topic === topics.permits.name) {
      const permit = value as Permit;
      const at = permit.notBeforeMs === 0 ? "at once" : `at ${this.#seconds(permit.notBeforeMs)}`;
      const interval = permit.intervalMs === 0 ? "" : ` intervalMs=${permit.intervalMs}`;
      const source = permit.waitSource === "delay" ? "" : ` by ${permit.waitSource}`;
      return `permit ${key} ${permit.releaseId} ${at} delayMs=${permit.delayMs} concurrency=${permit.concurrency}${interval}${source}`;
    }
    if (topic === topics.events.name) {
      const event = value as CrawlEvent;
      if (event.type !== "url_failed") return `event ${event.type}`;
      return `event ${event.type} ${event.url} ${event.category} final=${event.final} refused=${event.refused}`;
    }
    if (topic === topics.hosts.name) {
      const host = value as Host | null;
      if (host === null) return `host ${key} is forgotten`;
      const known = this.#told.get(key) ?? "none";
      this.#told.set(key, host.hold);
      // Only that it waits as it is told to is no news.
      if (host.hold === "none" && known === "none") return null;
      return `host ${key} ${host.hold}${host.holdUntilMs === null ? "" : ` until ${this.#seconds(host.holdUntilMs)}`}`;
    }
    const outcome = value as Outcome;
    return `${outcome.kind} ${outcome.releaseId}${outcome.dueAtMs === null ? "" : ` until ${this.#seconds(outcome.dueAtMs)}`} (${outcome.detail ?? ""})`;
  }

  #seconds(atMs: number): string {
    return `${((atMs - startMs) / 1000).toFixed(3)}s`;
  }
}

function jobOf(id: string, fields: Readonly<Record<string, string>>): Job {
  return jobSchema.parse({
    id,
    politeness: {
      delayMs: Number(fields["delayMs"] ?? 1000),
      concurrencyPerHost: Number(fields["concurrency"] ?? 1),
      delayMaxMs: Number(fields["delayMaxMs"] ?? 60_000),
      requestsPerMinuteMax: fields["perMinute"] === undefined ? null : Number(fields["perMinute"]),
    },
  });
}

function policyOf(fields: Readonly<Record<string, string>>): Policy | undefined {
  if (fields["none"] !== undefined) return undefined;
  const number = (name: string): object =>
    fields[name] === undefined ? {} : { [name]: Number(fields[name]) };
  return policySchema.parse({
    ...(fields["blocked"] === undefined ? {} : { blocked: { reason: fields["blocked"] } }),
    ...number("delayMs"),
    ...number("concurrency"),
    ...number("requestsPerMinuteMax"),
    ...number("safetyShare"),
    ...number("forgetFailuresBeforeMs"),
  });
}
