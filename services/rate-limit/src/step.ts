import {
  defaultJob,
  topics,
  type Due,
  type Host,
  type Job,
  type Outcome,
  type Permit,
} from "@sluice/records";
import type { Effect, InputRecord, Step, StepContext } from "@sluice/topology";
import {
  aheadOf,
  delayOf,
  forgetAtMs,
  holdOf,
  learn,
  newPace,
  nextAtMs,
  type Pace,
  type Politeness,
} from "./core/pace.ts";
import { defaultPaceOptions, type PaceOptions } from "./options.ts";

export type RateLimitRecord = InputRecord<Due | Outcome>;
export const rateLimitInputs = [topics.due.name, topics.outcomes.name];
export const rateLimitTables = [topics.jobs.name];

/** One domain: its pace, what waits, and the permits that are out. */
interface Domain {
  readonly pace: Pace;
  /** In order of arrival. */
  readonly waiting: Map<string, Due>;
  /** Release ids with a permit and no outcome. */
  readonly out: Set<string>;
  /** What was last told to `crawl.hosts`. */
  told: string;
}

export class RateLimitState {
  readonly domains = new Map<string, Domain>();
  seq = 0;

  domain(name: string): Domain {
    let domain = this.domains.get(name);
    if (domain === undefined) {
      domain = { pace: newPace(), waiting: new Map(), out: new Set(), told: "" };
      this.domains.set(name, domain);
    }
    return domain;
  }
}

interface StoredDomain {
  readonly pace: Pace;
  readonly out: readonly string[];
  readonly told: string;
}
interface StoredDue {
  readonly seq: number;
  readonly due: Due;
}

const keys = {
  domain: (name: string) => `d|${name}`,
  due: (name: string, releaseId: string) => `w|${name}|${releaseId}`,
};

function load(entries: Iterable<readonly [string, unknown]>): RateLimitState {
  const state = new RateLimitState();
  const waiting: [string, StoredDue][] = [];
  for (const [key, value] of entries) {
    const [kind, name] = key.split("|");
    if (name === undefined) continue;
    if (kind === "w") {
      waiting.push([name, value as StoredDue]);
      continue;
    }
    const stored = value as StoredDomain;
    const domain = {
      pace: { ...stored.pace },
      waiting: new Map(),
      out: new Set(stored.out),
      told: stored.told,
    };
    state.domains.set(name, domain);
  }
  waiting.sort(([, a], [, b]) => a.seq - b.seq);
  for (const [name, { seq, due }] of waiting) {
    state.domain(name).waiting.set(due.releaseId, due);
    state.seq = Math.max(state.seq, seq + 1);
  }
  return state;
}

type Effects = Effect<never>[];

/**
 * rate-limit: owns the clock of its domains and turns due URLs into permits. It finishes every record at
 * once; what has to wait lies in its state, at most a window of the frontier for each domain.
 */
export function rateLimitStep(
  options: PaceOptions = defaultPaceOptions,
): Step<RateLimitState, RateLimitRecord> {
  return {
    name: "rate-limit",
    load,
    laneOf: (record) => record.key ?? "",
    step: (state, input, nowMs, context) => {
      const out: Effects = [];
      switch (input.kind) {
        case "record": {
          const name = input.record.key ?? "";
          if (input.record.topic === topics.due.name) {
            receiveDue(state, name, input.record.value as Due, out, nowMs, context, options);
          } else {
            receiveOutcome(state, name, input.record.value as Outcome, out, nowMs, context, options);
          }
          out.push({ kind: "finish", id: input.record.id });
          break;
        }
        case "wake":
          issue(state, input.lane, out, nowMs, context, options);
          break;
        case "restored":
          for (const name of state.domains.keys()) out.push({ kind: "wake", lane: name, atMs: nowMs });
          break;
        case "table":
          // A pace may have been changed, or its job was not known before.
          if (input.table === topics.jobs.name) {
            for (const [name, domain] of state.domains)
              if (hasWaiting(domain, input.key)) issue(state, name, out, nowMs, context, options);
          }
          break;
        case "started":
        case "settled":
          throw new Error("rate-limit makes no calls");
        default:
          input satisfies never;
      }
      return out;
    },
  };
}

function receiveDue(
  state: RateLimitState,
  name: string,
  due: Due,
  out: Effects,
  nowMs: number,
  context: StepContext,
  options: PaceOptions,
): void {
  const domain = state.domain(name);
  if (due.leaseUntilMs < nowMs) {
    answer(out, name, due, "expired", null, nowMs, "the lease is over");
    return issue(state, name, out, nowMs, context, options);
  }
  const politeness = politenessOf(context, due.job);
  domain.pace.configuredMs = Math.max(domain.pace.configuredMs, politeness.delayMs);
  const delayMs = delayOf(domain.pace, politeness, options);
  const queuedMs = (domain.waiting.size * delayMs) / politeness.concurrencyPerHost;
  const startAtMs = Math.max(nowMs, nextAtMs(domain.pace, delayMs)) + queuedMs;
  if (startAtMs - nowMs > options.waitMaxMs) {
    answer(out, name, due, "deferred", startAtMs, nowMs, whyDeferred(domain.pace, politeness, nowMs));
    tell(name, domain, politeness, out, nowMs, options);
    save(name, domain, out);
    return issue(state, name, out, nowMs, context, options);
  }
  domain.waiting.set(due.releaseId, due);
  out.push({
    kind: "put",
    key: keys.due(name, due.releaseId),
    value: { seq: state.seq, due } satisfies StoredDue,
  });
  state.seq += 1;
  issue(state, name, out, nowMs, context, options);
}

function receiveOutcome(
  state: RateLimitState,
  name: string,
  outcome: Outcome,
  out: Effects,
  nowMs: number,
  context: StepContext,
  options: PaceOptions,
): void {
  if (outcome.by === "rate-limit") return;
  const domain = state.domain(name);
  domain.out.delete(outcome.releaseId);
  learn(domain.pace, outcome, nowMs, options);
  tell(name, domain, politenessOf(context, outcome.job), out, nowMs, options);
  save(name, domain, out);
  issue(state, name, out, nowMs, context, options);
}

/** Permits for what may go now; a wake for what may go later. */
function issue(
  state: RateLimitState,
  name: string,
  out: Effects,
  nowMs: number,
  context: StepContext,
  options: PaceOptions,
): void {
  const domain = state.domains.get(name);
  if (domain === undefined) return;
  let issued = 0;
  for (const due of domain.waiting.values()) {
    const politeness = politenessOf(context, due.job);
    const delayMs = delayOf(domain.pace, politeness, options);
    const startAtMs = nextAtMs(domain.pace, delayMs);
    if (due.leaseUntilMs < nowMs) {
      drop(name, domain, due, out);
      answer(out, name, due, "expired", null, nowMs, "the lease is over");
      continue;
    }
    if (startAtMs - nowMs > options.waitMaxMs) {
      drop(name, domain, due, out);
      answer(out, name, due, "deferred", startAtMs, nowMs, whyDeferred(domain.pace, politeness, nowMs));
      continue;
    }
    const width = politeness.concurrencyPerHost + aheadOf(domain.pace, delayMs, options);
    if (domain.out.size >= width) {
      // The next outcome looks again; without one, the end of the lease does.
      out.push({ kind: "wake", lane: name, atMs: due.leaseUntilMs + 1 });
      break;
    }
    if (startAtMs > nowMs + options.leadMs) {
      out.push({ kind: "wake", lane: name, atMs: startAtMs - options.leadMs });
      break;
    }
    drop(name, domain, due, out);
    domain.out.add(due.releaseId);
    issued += 1;
    out.push({
      kind: "send",
      topic: topics.permits.name,
      key: name,
      value: {
        ...due,
        notBeforeMs: Math.ceil(startAtMs),
        delayMs,
        concurrency: politeness.concurrencyPerHost,
      } satisfies Permit,
    });
  }
  if (issued > 0) save(name, domain, out);
  if (domain.waiting.size === 0 && domain.out.size === 0) forget(state, name, domain, out, nowMs, options);
}

/** A domain that is idle for long is as one that was never asked. */
function forget(
  state: RateLimitState,
  name: string,
  domain: Domain,
  out: Effects,
  nowMs: number,
  options: PaceOptions,
): void {
  const atMs = forgetAtMs(domain.pace, options);
  if (atMs > nowMs) {
    out.push({ kind: "wake", lane: name, atMs });
    return;
  }
  state.domains.delete(name);
  out.push({ kind: "put", key: keys.domain(name), value: null });
  if (domain.told !== "")
    out.push({ kind: "send", topic: topics.hosts.name, key: name, value: null, latest: true });
}

function hasWaiting(domain: Domain, job: string): boolean {
  for (const due of domain.waiting.values()) if (due.job === job) return true;
  return false;
}

/** The reason of a deferral: what holds the domain, or only that its queue is too long for its delay. */
function whyDeferred(pace: Pace, politeness: Politeness, nowMs: number): string {
  const { hold } = holdOf(pace, politeness.delayMs, nowMs);
  return hold === "none" ? "queue" : hold;
}

function drop(name: string, domain: Domain, due: Due, out: Effects): void {
  domain.waiting.delete(due.releaseId);
  out.push({ kind: "put", key: keys.due(name, due.releaseId), value: null });
}

function save(name: string, domain: Domain, out: Effects): void {
  const stored: StoredDomain = { pace: domain.pace, out: [...domain.out], told: domain.told };
  out.push({ kind: "put", key: keys.domain(name), value: stored });
}

/** Tells `crawl.hosts` when the reason changed for which the domain waits. */
function tell(
  name: string,
  domain: Domain,
  politeness: Politeness,
  out: Effects,
  nowMs: number,
  options: PaceOptions,
): void {
  const { hold, untilMs } = holdOf(domain.pace, politeness.delayMs, nowMs);
  const told = `${hold} ${untilMs ?? ""}`;
  if (told === domain.told || (hold === "none" && domain.told === "")) return;
  domain.told = told;
  const host: Host = {
    domain: name,
    hold,
    holdUntilMs: untilMs,
    delayMs: delayOf(domain.pace, politeness, options),
    crawlDelayMs: domain.pace.crawlDelayMs,
    failuresInRow: domain.pace.failuresInRow,
    updatedAtMs: nowMs,
  };
  out.push({ kind: "send", topic: topics.hosts.name, key: name, value: host, latest: true });
}

function answer(
  out: Effects,
  name: string,
  due: Due,
  kind: "deferred" | "expired",
  dueAtMs: number | null,
  nowMs: number,
  detail: string,
): void {
  const outcome: Outcome = {
    releaseId: due.releaseId,
    job: due.job,
    run: due.run,
    urlId: due.urlId,
    attempt: due.attempt,
    by: "rate-limit",
    kind,
    category: kind,
    ok: false,
    dueAtMs: dueAtMs === null ? null : Math.ceil(dueAtMs),
    linkRecords: 0,
    links: 0,
    requests: 0,
    endedAtMs: null,
    latencyMs: null,
    retryAfterMs: null,
    crawlDelayMs: null,
    breakerUntilMs: null,
    detail,
  };
  out.push({ kind: "send", topic: topics.outcomes.name, key: name, value: outcome });
}

const builtIn = defaultJob();

/** What the job asks for; a job whose record is not here yet gets the defaults, which are the slowest usual. */
function politenessOf(context: StepContext, id: string): Politeness {
  const job = context.tables[topics.jobs.name]?.get(id) as Job | undefined;
  return (job ?? builtIn).politeness;
}
