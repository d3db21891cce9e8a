import {
  policySchema,
  topics,
  type CrawlEvent,
  type Link,
  type Outcome,
  type Policy,
  type Result,
} from "@sluice/records";
import { StepDriver, type OpenCall, type SentRecord, type TraceCommand } from "@sluice/topology/testing";
import { canonicalize } from "@sluice/web";
import type { FetchCall, FetchOutcome } from "../src/calls.ts";
import type { FetcherState } from "../src/core/hosts.ts";
import { fetcherStep, type PermitRecord } from "../src/step.ts";
import { jobOf, pageAnswer, permitOf, robotsAnswer } from "./answers.ts";

const startMs = 1_000_000_000_000;

/** The fetcher under the commands of a trace. Instants are seconds since its start. */
export class FetcherTrace {
  readonly #driver = new StepDriver<FetcherState, PermitRecord, FetchCall, FetchOutcome>({
    step: fetcherStep(),
    nowMs: startMs,
  });
  #known = new Map<string, { aborted: boolean }>();

  readonly perform = ({ name, words, fields, line }: TraceCommand): readonly string[] => {
    const driver = this.#driver;
    const [first = "", second = "", ...rest] = words;
    switch (name) {
      case "job":
        driver.table(topics.jobs.name, first, jobOf(first, fields));
        break;
      case "policy":
        driver.table(topics.policies.name, first, policyOf(fields));
        break;
      case "permit":
        for (const url of words) this.#permit(url, fields);
        break;
      case "robots":
        driver.settle(
          this.#callOf("robots", null).callId,
          robotsAnswer(
            driver.nowMs,
            first,
            [second, ...rest].map((rule) => rule.replace(":", ": ")),
            fields,
          ),
        );
        break;
      case "page":
        driver.settle(this.#callOf("page", first).callId, pageAnswer(driver.nowMs, second, fields));
        break;
      case "advance":
        return this.#advance(Number(first) * 1000);
      case "takeover":
        driver.restart();
        this.#known = new Map();
        break;
      case "unfinished":
        return [`${driver.unfinished.length} unfinished, ${driver.calls.size} calls open`];
      case "end":
        driver.end();
        return ["every record is finished"];
      default:
        throw new Error(`no command ${line}`);
    }
    return this.#happened();
  };

  #permit(raw: string, fields: Readonly<Record<string, string>>): void {
    const permit = permitOf(raw, this.#driver.nowMs, fields);
    const url = canonicalize(raw);
    this.#driver.feed(topics.permits.name, url.kind === "url" ? url.domain : "", permit);
  }

  /** Moves on from wake to wake, so that what happens shows when it does. */
  #advance(ms: number): readonly string[] {
    const untilMs = this.#driver.nowMs + ms;
    const lines: string[] = [];
    for (;;) {
      const nextMs = this.#driver.nextWakeMs();
      if (nextMs === null || nextMs > untilMs) break;
      this.#driver.advance(Math.max(0, nextMs - this.#driver.nowMs));
      lines.push(...this.#happened());
    }
    this.#driver.advance(untilMs - this.#driver.nowMs);
    return [...lines, ...this.#happened()];
  }

  #callOf(kind: FetchCall["kind"], url: string | null): OpenCall<FetchCall> {
    for (const call of this.#driver.calls.values()) {
      if (call.request.kind === kind && (url === null || call.request.url === url)) return call;
    }
    throw new Error(`no ${kind} call is open`);
  }

  #happened(): readonly string[] {
    const lines = this.#driver.takeSent().flatMap((record) => this.#lineOf(record));
    for (const { callId, request, aborted } of this.#driver.calls.values()) {
      const known = this.#known.get(callId);
      if (known === undefined)
        lines.push(`${this.#seconds(this.#driver.nowMs)} ask ${request.kind} ${request.url}`);
      if (aborted && known?.aborted !== true) lines.push(`abort ${request.url}`);
      this.#known.set(callId, { aborted });
    }
    return lines;
  }

  #lineOf({ topic, key, value, partition }: SentRecord): readonly string[] {
    if (topic === topics.outcomes.name) {
      const outcome = value as Outcome;
      const fields = [
        outcome.dueAtMs === null ? "" : ` ${this.#until(outcome.dueAtMs)}`,
        outcome.requests === 0 ? "" : ` requests=${outcome.requests}`,
        outcome.linkRecords === 0 ? "" : ` linkRecords=${outcome.linkRecords} links=${outcome.links}`,
        outcome.crawlDelayMs === null ? "" : ` crawlDelayMs=${outcome.crawlDelayMs}`,
        outcome.detail === null || outcome.detail === outcome.category ? "" : ` (${outcome.detail})`,
      ];
      return [`outcome ${outcome.kind} ${outcome.category} ${outcome.releaseId}${fields.join("")}`];
    }
    if (topic === topics.results.name) {
      const result = value as Result;
      if (key !== result.url_id || partition === null)
        throw new Error("a result has its URL's id as key, and a partition");
      const fields = [
        result.status === null ? "" : ` ${result.status}`,
        result.redirect_to === null ? "" : ` to ${result.redirect_to}`,
        result.robots_rule === null ? "" : ` by "${result.robots_rule}" line ${result.robots_line}`,
        ` robots=${result.robots_status}`,
        result.noindex ? " noindex" : "",
        result.noarchive ? " noarchive" : "",
        result.content_kept ? "" : " not kept",
        result.extracted_json === null ? "" : ` texts=${result.extracted_json}`,
      ];
      return [`result ${result.outcome} ${result.url}${fields.join("")}`];
    }
    if (topic === topics.links.name) {
      const link = value as Link;
      return [
        `links ${link.kind} to ${key} depth=${link.depth} root=${link.root ?? "-"} redirects=${link.redirects}: ${link.urls.join(" ")}`,
      ];
    }
    const event = value as CrawlEvent;
    if (event.type === "url_failed")
      return [`event ${event.type} ${event.category} final=${event.final} refused=${event.refused}`];
    if (event.type === "url_started")
      return [`event ${event.type} ${event.url} depth=${event.depth} attempt=${event.attempt}`];
    if (event.type === "sent_to_processing") return [`event ${event.type} ${event.url}`];
    return [`event ${event.type}`];
  }

  /** A retry's own wait is drawn by chance and belongs to the retry policy; what the host asks for is whole. */
  #until(atMs: number): string {
    return atMs % 1000 === 0 ? `until ${this.#seconds(atMs)}` : "after a while";
  }

  #seconds(atMs: number): string {
    return `${((atMs - startMs) / 1000).toFixed(3)}s`;
  }
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
    ...number("forgetFailuresBeforeMs"),
  });
}
