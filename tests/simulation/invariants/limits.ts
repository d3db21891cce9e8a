/** Limits of the services' own: what is begun, out, waiting, gathered or remembered stays within each, at every step. */
import { topics, type Due, type Permit } from "@sluice/records";
import type { Transaction } from "@sluice/runtime";
import type { Effect } from "@sluice/topology";
import type { FetchCall } from "../../../services/fetcher/src/calls.ts";
import type { Host } from "../../../services/fetcher/src/core/host.ts";
import type { FetcherState } from "../../../services/fetcher/src/core/hosts.ts";
import type { FrontierState } from "../../../services/frontier/src/core/state.ts";
import type { RateLimitState } from "../../../services/rate-limit/src/core/domains.ts";
import type { SinkCall } from "../../../services/result-sink/src/step.ts";
import type { LifeName, Observer, Report, StepSeen } from "../observer.ts";
import type { Plan } from "../plan.ts";

/** What one owner of a task has begun and not finished, by its lane. */
type Begun = Map<string, Set<string>>;

const metadataBytesMax = 4096;
/** URLs that are read of a queue at once, while there is still room for one. */
const headMax = 8;

export class LimitChecks implements Observer {
  readonly #plan: Plan;
  readonly #report: Report;
  readonly #begun = new Map<string, Begun>();
  /** The longest lease that one owner of a task has of a URL. */
  readonly #leases = new Map<string, number>();
  /** Most URLs of a domain that may be out, whatever jobs wait there. */
  readonly #windowMax: number;

  constructor(plan: Plan, report: Report) {
    this.#plan = plan;
    this.#report = report;
    this.#windowMax = windowOf(plan);
  }

  stepped(life: LifeName, seen: StepSeen): void {
    this.#checkLanes(life, seen);
    const { effects, nowMs, state } = seen;
    switch (life.service) {
      case "frontier":
        return this.#checkReleases(life, seen);
      case "rate-limit":
        return this.#checkWaiting(life, state as RateLimitState);
      case "fetcher":
        this.#checkLeases(life, seen);
        return this.#checkHosts(life, state as FetcherState, nowMs);
      case "result-sink":
        return this.#checkBatches(life, effects);
      default:
        return life.service satisfies never;
    }
  }

  committing(life: LifeName, task: number, { offsets }: Transaction): void {
    for (const { topic, metadata } of offsets) {
      if (metadata.length > metadataBytesMax)
        this.#report("a commit's metadata is what brokers take", `${life.name} ${topic}/${task}`);
    }
  }

  /** Records that a step has begun and that wait in it, e.g. for a job, for their turn or to be written. */
  #checkLanes(life: LifeName, { input, effects, context }: StepSeen): void {
    const { frontier, fetcher, sink } = this.#plan.settings;
    const widths = {
      frontier: frontier.pendingMax,
      "rate-limit": 1,
      fetcher: fetcher.permitsMax,
      "result-sink": sink.recordsMax,
    } as const;
    const key = `${life.name}/${context.task}/${context.epoch}`;
    let begun = this.#begun.get(key);
    if (begun === undefined) this.#begun.set(key, (begun = new Map()));
    if (input.kind === "record") {
      const { record } = input;
      const lanes = {
        frontier: record.topic,
        "rate-limit": record.key,
        fetcher: record.key,
        "result-sink": "",
      };
      const lane = lanes[life.service] ?? "";
      const open = begun.get(lane) ?? new Set();
      begun.set(lane, open);
      open.add(record.id);
      if (open.size > widths[life.service])
        this.#report(
          "no more records of a lane are begun than it is wide",
          `${life.name} ${lane}: ${open.size} of ${widths[life.service]}`,
        );
    }
    for (const effect of effects) {
      if (effect.kind !== "finish" && effect.kind !== "reject") continue;
      for (const open of begun.values()) open.delete(effect.id);
    }
  }

  /** Where a step has released something, what is out fits into the window of its domain, and into the task's total. */
  #checkReleases(life: LifeName, { effects, context, state }: StepSeen): void {
    const { out, heads } = state as FrontierState;
    const { headsMax } = this.#plan.settings.frontier;
    if (heads.held > headsMax + headMax)
      this.#report(
        "no more URLs that wait are in memory than set",
        `${life.name} task ${context.task}: ${heads.held} of ${headsMax}`,
      );
    const domains = new Set<string>();
    for (const effect of effects)
      if (
        effect.kind === "send" &&
        effect.topic === topics.due.name &&
        (effect.value as Due).errand === undefined
      )
        domains.add(effect.key);
    if (domains.size === 0) return;
    if (context.tables["flow"]?.get("release") !== undefined)
      this.#report("nothing is released while the sink is behind", `${life.name}: ${[...domains].join()}`);
    const { releasedMax } = this.#plan.settings.frontier;
    if (out.size > releasedMax)
      this.#report(
        "a task has no more URLs out than its total",
        `${life.name}: ${out.size} of ${releasedMax}`,
      );
    const outOf = new Map<string, number>();
    for (const { entry } of out.values()) outOf.set(entry.domain, (outOf.get(entry.domain) ?? 0) + 1);
    for (const domain of domains) {
      const count = outOf.get(domain) ?? 0;
      if (count > this.#windowMax)
        this.#report(
          "a domain has no more URLs out than its window",
          `${life.name} ${domain}: ${count} of ${this.#windowMax}`,
        );
    }
  }

  /** What waits for its permit is out at the frontier. Without transactions a release may be written twice. */
  #checkWaiting(life: LifeName, { domains }: RateLimitState): void {
    if (this.#plan.delivery === "at-least-once") return;
    for (const { name, waiting } of domains.values()) {
      let own = 0;
      for (const { errand } of waiting.values()) if (errand === undefined) own += 1;
      if (own > this.#windowMax)
        this.#report(
          "no more URLs of a domain wait for permits than its window",
          `${life.name} ${name}: ${own} of ${this.#windowMax}`,
        );
    }
  }

  /** Past its lease a release is another's to make: it is answered, and not asked for. */
  #checkLeases(life: LifeName, { input, effects, nowMs, context }: StepSeen): void {
    const scope = `${life.name}/${context.task}/${context.epoch}/`;
    if (input.kind === "record") {
      const { url, leaseUntilMs } = input.record.value as Permit;
      const known = this.#leases.get(scope + url) ?? 0;
      this.#leases.set(scope + url, Math.max(known, leaseUntilMs));
    }
    for (const effect of effects) {
      if (effect.kind !== "call") continue;
      const { kind, url } = effect.request as FetchCall;
      const leaseUntilMs = this.#leases.get(scope + url) ?? 0;
      if (kind === "page" && nowMs > leaseUntilMs)
        this.#report(
          "nothing is asked for past its lease",
          `${life.name} ${url}: ${leaseUntilMs}, at ${nowMs}`,
        );
    }
  }

  #checkHosts(life: LifeName, { hosts }: FetcherState, nowMs: number): void {
    const { hostsMax, forgetAfterMs } = this.#plan.settings.fetcher;
    if (hosts.size <= hostsMax) return;
    const isIdle = (host: Host): boolean =>
      host.queue.length + host.running.size === 0 &&
      Math.max(host.holdUntilMs, (host.lastEndMs ?? 0) + Math.max(forgetAfterMs, host.delayMaxMs)) < nowMs;
    for (const host of hosts.values())
      if (isIdle(host))
        this.#report(
          "of too many hosts those that are idle are forgotten",
          `${life.name}: ${hosts.size} of ${hostsMax}, among them ${host.domain}`,
        );
  }

  #checkBatches(life: LifeName, effects: readonly Effect<unknown>[]): void {
    const { batchMax } = this.#plan.settings.sink;
    for (const effect of effects) {
      if (effect.kind !== "call") continue;
      const { rows } = effect.request as SinkCall;
      if (rows.length > batchMax)
        this.#report(
          "no more results are written at once than set",
          `${life.name}: ${rows.length} of ${batchMax}`,
        );
    }
  }
}

/** About so much time of the pace of the fastest job, whatever its robots.txt adds; of all that may wait anywhere. */
function windowOf({ jobs, settings }: Plan): number {
  const { windowMax, windowSpanMs } = settings.frontier;
  const fitting = jobs.map(({ job: { politeness } }) =>
    politeness.delayMs <= 0
      ? windowMax
      : Math.max(2, Math.ceil((windowSpanMs * politeness.concurrencyPerHost) / politeness.delayMs)),
  );
  return Math.min(Math.max(2, windowMax), Math.max(...fitting));
}
