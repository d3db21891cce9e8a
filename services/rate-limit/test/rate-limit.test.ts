import { jobSchema, topics, type Due, type Job, type Outcome, type Permit } from "@sluice/records";
import { Random, StepDriver } from "@sluice/topology/testing";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { defaultPaceOptions as options, type PaceOptions } from "../src/options.ts";
import { aheadOf, backOffMs, newPace, type Pace, type Politeness } from "../src/core/pace.ts";
import type { RateLimitState } from "../src/core/domains.ts";
import { rateLimitStep, type RateLimitRecord } from "../src/step.ts";
import { answeredAt, dueOf } from "./records.ts";

const runs = Number(process.env["SLUICE_TEST_RUNS"] ?? 300);

type Answer = "permit" | "deferred" | "expired" | "refused";

interface Asked {
  readonly due: Due;
  answer: Answer | null;
}

/** What a domain has shown to the fetcher, whatever rate-limit makes of it. */
interface Truth {
  endMs: number;
  quietUntilMs: number;
  /** Failures since the last success, with the end of the first of them. */
  failures: number;
  failingSinceMs: number;
  /** It was dead at an instant since the last commit. */
  wasDead: boolean;
}

/** rate-limit with a frontier that sends URLs and a fetcher that answers permits, both at random. */
class World {
  readonly driver: StepDriver<RateLimitState, RateLimitRecord>;
  readonly asked = new Map<string, Asked>();
  /** Permits without an outcome. */
  readonly out = new Map<string, Permit>();
  readonly order: string[] = [];
  readonly #random: Random;
  readonly #job: Job;
  #asks = 0;
  /** By domain: when the last request ended, until when Retry-After asks for quiet, failures in a row. */
  readonly #truth = new Map<string, Truth>();
  readonly #options: PaceOptions;
  readonly #failing: number;
  events = 0;
  refusals = 0;

  constructor(random: Random) {
    this.#random = random;
    // Some worlds have hosts that fail mostly, and are soon given up.
    this.#options = random.pick([options, { ...options, deadAfterFailures: 2, deadAfterMs: 3000 }]);
    this.#failing = random.pick([0.15, 0.8]);
    this.#job = jobSchema.parse({
      id: "j",
      politeness: {
        delayMs: random.pick([0, 50, 300, 1000, 20_000]),
        concurrencyPerHost: random.pick([1, 1, 2, 5]),
      },
    });
    this.driver = new StepDriver({
      step: rateLimitStep(this.#options),
      tables: { [topics.jobs.name]: [["j", this.#job]] },
      keepHistory: false,
    });
  }

  step(): void {
    const random = this.#random;
    const dice = random.next();
    if (dice < 0.35) this.#ask();
    else if (dice < 0.65) this.#answer();
    else if (dice < 0.85) this.driver.advance(random.below(random.chance(0.1) ? 100_000 : 2000));
    else if (dice < 0.97) this.commit();
    else if (dice < 0.985) this.driver.restartFromCommit();
    else {
      this.commit();
      this.driver.restart();
    }
  }

  commit(): void {
    for (const { topic, key, value } of this.driver.commit()) {
      if (topic === topics.permits.name) this.#permitted(key, value as Permit);
      else if (topic === topics.outcomes.name) this.#refused(key, value as Outcome);
      else if (topic === topics.events.name) this.events += 1;
    }
    for (const truth of this.#truth.values()) truth.wasDead = this.#isDead(truth);
    this.driver.end();
  }

  /** Nobody asks any more, and all that is out is answered: then nothing may be left. */
  drain(): void {
    for (let round = 0; round < 5000; round += 1) {
      this.commit();
      if ([...this.asked.values()].every(({ answer }) => answer !== null) && this.out.size === 0) return;
      if (this.out.size > 0) this.#answer();
      else this.driver.advance(Math.max(1, (this.driver.nextWakeMs() ?? Infinity) - this.driver.nowMs));
    }
    throw new Error("something waits for ever");
  }

  #ask(): void {
    const number = this.#asks++;
    const domain = `d${this.#random.below(2)}.example`;
    const { nowMs } = this.driver;
    const due = dueOf(domain, `r${number}`, nowMs, {
      job: "j",
      url: `https://${domain}/${number}`,
      urlId: `u${number}`,
      leaseUntilMs: nowMs + this.#random.pick([10_000, 600_000]),
    });
    this.asked.set(due.releaseId, { due, answer: null });
    this.driver.feed(topics.due.name, domain, due);
  }

  #answer(): void {
    const permits = [...this.out.values()];
    const permit = permits[this.#random.below(permits.length)];
    if (permit === undefined) return;
    this.out.delete(permit.releaseId);
    const domain = new URL(permit.url).hostname;
    const nowMs = this.driver.nowMs;
    const startMs = Math.max(nowMs, permit.notBeforeMs);
    this.driver.advance(startMs - nowMs + this.#random.below(2000));
    const random = this.#random;
    const failed = random.chance(this.#failing);
    const retryAfterMs = random.chance(0.05) ? random.pick([5000, 3_600_000]) : null;
    const truth = this.#truthOf(domain);
    truth.endMs = this.driver.nowMs;
    if (truth.failures === 0) truth.failingSinceMs = this.driver.nowMs;
    truth.failures = failed ? truth.failures + 1 : 0;
    truth.wasDead ||= this.#isDead(truth);
    if (retryAfterMs !== null)
      truth.quietUntilMs = Math.max(truth.quietUntilMs, this.driver.nowMs + retryAfterMs);
    const outcome = answeredAt(permit, this.driver.nowMs, {
      kind: failed ? "retry" : "settled",
      category: failed ? random.pick(["reset", "http_5xx", "timeout_total"]) : "ok",
      ok: !failed,
      latencyMs: random.below(400),
      retryAfterMs,
    });
    this.driver.feed(topics.outcomes.name, domain, outcome);
  }

  #isDead({ failures, failingSinceMs, endMs }: Truth): boolean {
    const { deadAfterFailures, deadAfterMs } = this.#options;
    return failures >= deadAfterFailures && endMs - failingSinceMs >= deadAfterMs;
  }

  #truthOf(domain: string): Truth {
    const truth = this.#truth.get(domain) ?? {
      endMs: -Infinity,
      quietUntilMs: 0,
      failures: 0,
      failingSinceMs: 0,
      wasDead: false,
    };
    this.#truth.set(domain, truth);
    return truth;
  }

  #permitted(domain: string, permit: Permit): void {
    this.#answered(permit.releaseId, "permit");
    this.order.push(`${domain} ${permit.releaseId.slice(1)}`);
    this.out.set(permit.releaseId, permit);
    const { delayMs, concurrencyPerHost } = this.#job.politeness;
    const truth = this.#truthOf(domain);
    const outHere = [...this.out.values()].filter(({ url }) => new URL(url).hostname === domain).length;
    const ahead = delayMs === 0 ? options.aheadMax : Math.floor(options.aheadMs / delayMs);
    if (outHere > concurrencyPerHost + ahead) throw new Error(`${outHere} permits out on ${domain}`);
    if (permit.delayMs < delayMs) throw new Error(`a delay of ${permit.delayMs}`);
    // What ended since the permit was issued is not known to it, so this holds where only one is out.
    if (concurrencyPerHost + ahead === 1 && permit.notBeforeMs < truth.endMs + delayMs)
      throw new Error("closer than the delay");
    if (concurrencyPerHost + ahead === 1 && permit.notBeforeMs < truth.quietUntilMs)
      throw new Error("within Retry-After");
  }

  #refused(domain: string, outcome: Outcome): void {
    if (outcome.kind === "refused") {
      if (!this.#truthOf(domain).wasDead) throw new Error("refused for a host that lives");
      this.refusals += 1;
    }
    const asked = this.#answered(outcome.releaseId, outcome.kind as Answer);
    if (outcome.kind === "expired" && asked.due.leaseUntilMs >= this.driver.nowMs)
      throw new Error("expired before its lease");
    if (outcome.kind === "deferred" && outcome.dueAtMs === null) throw new Error("deferred for ever");
  }

  #answered(releaseId: string, answer: Answer): Asked {
    const asked = this.asked.get(releaseId);
    if (asked === undefined || asked.answer !== null)
      throw new Error(`${releaseId} was answered twice, or never asked`);
    asked.answer = answer;
    return asked;
  }
}

describe("rate-limit, asked and answered at random, with crashes", () => {
  test("answers each URL once, in order, never too many, never too soon, and leaves none", () => {
    let refusals = 0;
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 - 1 }), (seed) => {
        const world = new World(new Random(seed));
        for (let step = 0; step < 300; step += 1) world.step();
        world.drain();
        expect(world.events).toBe(world.refusals);
        refusals += world.refusals;
        for (const domain of ["d0.example", "d1.example"]) {
          const numbers = world.order
            .filter((each) => each.startsWith(domain))
            .map((each) => Number(each.split(" ")[1]));
          expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
        }
        world.driver.advance(86_400_000);
        expect(world.driver.state.domains.size).toBe(0);
        expect(world.driver.entries.size).toBe(0);
      }),
      { numRuns: runs },
    );
    if (runs >= 100) expect(refusals).toBeGreaterThan(10);
  });
});

const politeness: Politeness = { delayMs: 1000, concurrencyPerHost: 1, delayMaxMs: 60_000, intervalMs: 0 };

describe("the pace", () => {
  test("a back-off lies between half and all of the doubled base, and a replay draws the same", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.string(), (failures, text) => {
        const fullMs = Math.min(1000 * 2 ** (failures - 1), 300_000);
        const waitMs = backOffMs(failures, text, options);
        expect(waitMs).toBeGreaterThanOrEqual(fullMs / 2);
        expect(waitMs).toBeLessThanOrEqual(fullMs);
        expect(backOffMs(failures, text, options)).toBe(waitMs);
      }),
    );
  });

  test("permits run ahead only of a host that is known to be fast and has no trouble", () => {
    const ahead = (fields: Partial<Pace>, delayMs: number, intervalMs = 0): number =>
      aheadOf({ ...newPace(), ...fields }, { ...politeness, delayMs, intervalMs }, options);
    expect(ahead({}, 0)).toBe(0);
    expect(ahead({ latencyMs: 10 }, 0)).toBe(25);
    expect(ahead({ latencyMs: 0 }, 0)).toBe(32);
    expect(ahead({ latencyMs: 10 }, 1000)).toBe(0);
    expect(ahead({ latencyMs: 10 }, 0, 125)).toBe(2);
    expect(ahead({ latencyMs: 300 }, 0)).toBe(0);
    expect(ahead({ latencyMs: 10, failuresInRow: 1 }, 0)).toBe(0);
  });
});
