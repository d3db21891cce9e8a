import {
  jobSchema,
  policySchema,
  topics,
  type Counters,
  type CrawlEvent,
  type Due,
  type Grant,
  type Job,
  type Link,
  type Outcome,
  type Policy,
} from "@sluice/records";
import { StepDriver, type SentRecord, type TraceCommand } from "@sluice/topology/testing";
import { canonicalize, urlIdOf } from "@sluice/web";
import { defaultFrontierOptions } from "../src/options.ts";
import { frontierStep, type FrontierRecord } from "../src/step.ts";
import type { FrontierState } from "../src/core/state.ts";
import { answerTo } from "@sluice/records/testing";

const startMs = 1_000_000_000_000;
/** What a frontier writes to itself: `deliver` hands it over. */
const own = new Set<string>([topics.links.name, topics.grants.name, topics.counters.name]);

/** One frontier task under the commands of a trace. Other tasks are played by the trace itself. */
export class FrontierTrace {
  readonly #driver: StepDriver<FrontierState, FrontierRecord>;
  readonly #jobs = new Map<string, Job>();
  readonly #waiting: SentRecord[] = [];
  readonly #out = new Map<string, Due>();
  #rejected = 0;

  constructor(tasks: number) {
    this.#driver = new StepDriver({ step: frontierStep(defaultFrontierOptions), nowMs: startMs, tasks });
  }

  readonly perform = (command: TraceCommand): readonly string[] => {
    const { name, words, fields } = command;
    const [first = ""] = words;
    switch (name) {
      case "job":
        this.#setJob(first, fields);
        break;
      case "seed":
        this.#driver.feed(topics.seeds.name, "anything", {
          url: first,
          ...(fields["job"] === undefined ? {} : { job: fields["job"] }),
        });
        break;
      case "link":
        this.#link(words, fields);
        break;
      case "outcome":
        this.#outcome(first, fields);
        break;
      case "counters":
        this.#counters(first, fields);
        break;
      case "deliver":
        return this.#deliver();
      case "advance":
        this.#driver.advance(Number(first) * 1000);
        break;
      case "restart":
        this.#driver.restart();
        break;
      case "policy":
        this.#driver.table(topics.policies.name, first, policyOf(fields));
        break;
      case "hold":
        this.#driver.table("flow", "release", { group: "sink" });
        break;
      case "flow":
        this.#driver.table("flow", "release", undefined);
        break;
      case "tally":
        return this.#tally(first);
      case "end":
        this.#driver.end();
        return ["every record is finished"];
      default:
        throw new Error(`no command ${command.line}`);
    }
    return this.#happened();
  };

  #setJob(id: string, fields: Readonly<Record<string, string>>): void {
    const number = (name: string): number | null =>
      fields[name] === undefined ? null : Number(fields[name]);
    const known = this.#jobs.get(id);
    const job = jobSchema.parse({
      ...known,
      id,
      ...(fields["open"] === undefined ? {} : { open: true }),
      ...(fields["run"] === undefined ? {} : { run: Number(fields["run"]) }),
      ...(fields["desired"] === undefined ? {} : { desired: fields["desired"] }),
      ...(fields["seeds"] === undefined
        ? {}
        : { seeds: fields["seeds"].split(",").filter((each) => each !== "") }),
      ...(known !== undefined
        ? {}
        : {
            limits: {
              maxPages: number("maxPages"),
              maxDepth: number("maxDepth"),
              maxDurationMs: number("maxDurationMs"),
            },
            canonical: {
              dropTracking: fields["drop"]?.includes("tracking") ?? false,
              dropSessionIds: fields["drop"]?.includes("sessions") ?? false,
            },
            politeness: { delayMs: number("delayMs") ?? 1000 },
          }),
    });
    this.#jobs.set(id, job);
    this.#driver.table(topics.jobs.name, id, job);
  }

  #link(urls: readonly string[], fields: Readonly<Record<string, string>>): void {
    const url = canonicalize(urls[0] ?? "");
    const link: Link = {
      job: fields["job"] ?? "j",
      run: Number(fields["run"] ?? 1),
      kind: (fields["kind"] ?? "link") as Link["kind"],
      parent: fields["parent"] === undefined ? null : urlIdOf(fields["parent"]),
      depth: Number(fields["depth"] ?? 1),
      root: fields["root"] ?? null,
      redirects: Number(fields["redirects"] ?? 0),
      urls: [...urls],
    };
    this.#driver.feed(topics.links.name, fields["key"] ?? (url.kind === "url" ? url.domain : ""), link);
  }

  #outcome(url: string, fields: Readonly<Record<string, string>>): void {
    const due = this.#out.get(url);
    if (due === undefined) throw new Error(`${url} is not out`);
    const kind = (fields["kind"] ?? "settled") as Outcome["kind"];
    const outcome = answerTo(due, {
      kind,
      category: fields["category"] ?? "ok",
      ok: kind === "settled" && fields["ok"] !== "false",
      dueAtMs: fields["due"] === undefined ? null : this.#driver.nowMs + Number(fields["due"]) * 1000,
      linkRecords: Number(fields["linkRecords"] ?? 0),
      endedAtMs: this.#driver.nowMs,
      latencyMs: 10,
      crawlDelayMs: fields["crawlDelay"] === undefined ? null : Number(fields["crawlDelay"]) * 1000,
    });
    this.#driver.feed(topics.outcomes.name, canonicalDomain(url), outcome);
  }

  /** Counters of another task, as its owner gets them. */
  #counters(id: string, fields: Readonly<Record<string, string>>): void {
    const tally = Object.fromEntries(
      [
        "announced",
        "received",
        "admitted",
        "done",
        "failed",
        "retried",
        "skipped",
        "limited",
        "refused",
        "granted",
        "returned",
        "taken",
        "freed",
        "wanted",
      ].map((name) => [name, Number(fields[name] ?? 0)]),
    );
    this.#driver.feed(topics.counters.name, `${id}/${fields["task"] ?? "1"}`, {
      kind: "task",
      job: id,
      run: Number(fields["run"] ?? 1),
      task: Number(fields["task"] ?? 1),
      wave: Number(fields["wave"] ?? 0),
      inFlight: Number(fields["inFlight"] ?? 0),
      tally,
    });
  }

  /** What the task wrote to itself, until nothing is left; as one transaction each time. */
  #deliver(): readonly string[] {
    const lines: string[] = [];
    while (this.#waiting.length > 0) {
      const records = this.#waiting
        .splice(0)
        .filter(
          (each, index, all) =>
            !(
              each.topic !== topics.links.name &&
              all.slice(index + 1).some((later) => later.topic === each.topic && later.key === each.key)
            ),
        );
      for (const { topic, key, value, partition } of records) {
        if ((partition ?? 0) === 0) this.#driver.feed(topic, key, value);
      }
      lines.push(...this.#happened());
    }
    return lines;
  }

  #happened(): readonly string[] {
    const lines: string[] = [];
    for (const record of this.#driver.takeSent()) {
      if (own.has(record.topic)) this.#waiting.push(record);
      const line = this.#lineOf(record);
      if (line !== null) lines.push(line);
    }
    for (const { id, reason } of this.#driver.rejected.slice(this.#rejected)) {
      lines.push(`reject ${id.split("/")[0]}: ${reason}`);
    }
    this.#rejected = this.#driver.rejected.length;
    return lines;
  }

  #lineOf({ topic, value }: SentRecord): string | null {
    if (topic === topics.due.name) {
      const due = value as Due;
      this.#out.set(due.url, due);
      return `due ${due.url} depth=${due.depth} attempt=${due.attempt}`;
    }
    if (topic === topics.links.name) {
      const link = value as Link;
      return `link ${link.kind} ${link.urls.join(" ")} depth=${link.depth}`;
    }
    if (topic === topics.grants.name) {
      const grant = value as Grant;
      return `grant task=${grant.task} granted=${grant.granted} recall=${grant.recall} wave=${grant.wave} halt=${grant.halt ?? "-"}`;
    }
    if (topic === topics.events.name) {
      const event = value as CrawlEvent;
      if (event.type === "progress" || event.type === "time_update") return null;
      if (event.type === "url_failed")
        return `event ${event.type} ${event.url} ${event.category} ${event.detail ?? ""}`.trimEnd();
      if (event.type === "job_completed")
        return `event ${event.type} ${event.finishReason} admitted=${event.admitted} done=${event.done} failed=${event.failed} skipped=${event.skipped}`;
      return `event ${event.type}`;
    }
    if (topic === topics.counters.name && (value as Counters).kind === "job") return null;
    return null;
  }

  #tally(id: string): readonly string[] {
    const view = this.#driver.state.views.get(id);
    if (view === undefined) return ["no view"];
    const counts = Object.entries(view.tally).filter(([, count]) => count > 0);
    return [
      `run=${view.run} waiting=${view.waiting} inFlight=${view.inFlight} held=${view.grantsHeld} halt=${view.halt ?? "-"}`,
      `tally ${counts.map(([name, count]) => `${name}=${count}`).join(" ")}`.trimEnd(),
    ];
  }
}

function policyOf(fields: Readonly<Record<string, string>>): Policy | undefined {
  if (fields["none"] !== undefined) return undefined;
  return policySchema.parse({
    ...(fields["blocked"] === undefined ? {} : { blocked: { reason: fields["blocked"] } }),
    ...(fields["delayMs"] === undefined ? {} : { delayMs: Number(fields["delayMs"]) }),
    ...(fields["forget"] === undefined
      ? {}
      : { forgetFailuresBeforeMs: startMs + Number(fields["forget"]) * 1000 }),
    ...(fields["concurrency"] === undefined ? {} : { concurrency: Number(fields["concurrency"]) }),
  });
}

function canonicalDomain(raw: string): string {
  const url = canonicalize(raw);
  if (url.kind === "refused") throw new Error(`${raw}: ${url.detail}`);
  return url.domain;
}
