import { eventSchema, jobSchema, topics, type CrawlEvent } from "@sluice/records";
import { StepDriver } from "@sluice/topology/testing";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { minutesAndSeconds } from "../src/core/ownership.ts";
import type { FrontierState } from "../src/core/state.ts";
import { defaultFrontierOptions } from "../src/options.ts";
import { frontierStep, type FrontierRecord } from "../src/step.ts";

const startMs = 1_000_000_000_000;
const own = new Set<string>([topics.links.name, topics.grants.name, topics.counters.name]);

/** The one frontier task of a job whose hosts never answer: it gets what it writes to itself. */
class LongCrawl {
  readonly driver: StepDriver<FrontierState, FrontierRecord>;
  readonly events: CrawlEvent[] = [];

  constructor(limits: object = {}) {
    this.driver = new StepDriver({ step: frontierStep(defaultFrontierOptions), nowMs: startMs });
    const seeds = ["https://a.example/", "https://a.example/2", "https://b.example/"];
    this.driver.table(topics.jobs.name, "j", jobSchema.parse({ id: "j", seeds, limits }));
    this.#deliver();
  }

  /** Lets time pass. */
  pass(ms: number): void {
    this.driver.advance(ms);
    this.#deliver();
  }

  of<Type extends CrawlEvent["type"]>(type: Type): readonly Extract<CrawlEvent, { type: Type }>[] {
    return this.events.filter((event): event is Extract<CrawlEvent, { type: Type }> => event.type === type);
  }

  #deliver(): void {
    for (let sent = this.driver.takeSent(); sent.length > 0; sent = this.driver.takeSent()) {
      for (const { topic, key, value } of sent) {
        if (topic === topics.events.name) this.events.push(eventSchema.parse(value));
        if (own.has(topic)) this.driver.feed(topic, key, value);
      }
    }
  }
}

describe("time updates", () => {
  test("come once a second for an hour, each with the elapsed time as seconds and as m:ss", () => {
    const crawl = new LongCrawl();
    for (let second = 0; second < 3669; second += 1) crawl.pass(1000);
    const updates = crawl.of("time_update");
    expect(updates.map(({ elapsed }) => elapsed)).toEqual(Array.from({ length: 3669 }, (_, at) => at + 1));
    expect(updates.map(({ atMs }) => atMs - startMs)).toEqual(updates.map(({ elapsed }) => elapsed * 1000));
    const text = new Map(updates.map(({ elapsed, formatted }) => [elapsed, formatted]));
    expect([1, 5, 59, 60, 65, 600, 3599, 3600, 3669].map((elapsed) => text.get(elapsed))).toEqual([
      "0:01",
      "0:05",
      "0:59",
      "1:00",
      "1:05",
      "10:00",
      "59:59",
      "60:00",
      "61:09",
    ]);
  });

  test("have the six fields, and beside each one lies a progress event with the state of the queue", () => {
    const crawl = new LongCrawl();
    crawl.pass(3000);
    const queue = { totalProcessed: 0, totalDiscovered: 3, queueSize: 0, pendingCount: 3 };
    const { job: _, run: __, atMs, type, ...fields } = crawl.of("time_update")[2] ?? { job: "", run: 0 };
    expect([type, atMs]).toEqual(["time_update", startMs + 3000]);
    expect(fields).toEqual({ elapsed: 3, formatted: "0:03", ...queue });
    expect(crawl.of("progress")[2]).toMatchObject({ ...queue, done: 0, failed: 0, skipped: 0 });
    expect(crawl.of("progress").map((event) => event.atMs)).toEqual(
      crawl.of("time_update").map((event) => event.atMs),
    );
  });

  test("fall on full seconds of the run again after a late one and after a restart", () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ ms: fc.integer({ min: 1, max: 2500 }), restart: fc.boolean() }), {
          minLength: 1,
          maxLength: 40,
        }),
        (turns) => {
          const crawl = new LongCrawl();
          let passedMs = 0;
          for (const { ms, restart } of turns) {
            if (restart) crawl.driver.restart();
            crawl.pass(ms);
            passedMs += ms;
          }
          // A new owner of the job tells where it stands at once; that comes on top.
          const passed = crawl.of("time_update").map((event) => event.atMs - startMs);
          const full = passed.filter((ms, at) => ms > 0 && ms % 1000 === 0 && passed[at - 1] !== ms);
          expect(full).toEqual(
            Array.from({ length: Math.floor(passedMs / 1000) }, (_, at) => (at + 1) * 1000),
          );
          expect(passed.length - full.length).toBeLessThanOrEqual(
            turns.filter(({ restart }) => restart).length,
          );
          expect(passed).toEqual(passed.toSorted((a, b) => a - b));
        },
      ),
      { numRuns: 200 },
    );
  });

  test("end with the time limit, at the second it falls on", () => {
    const crawl = new LongCrawl({ maxDurationMs: 300_000 });
    crawl.pass(299_999);
    expect(crawl.driver.takeSent()).toEqual([]);
    expect(crawl.of("time_update").at(-1)?.formatted).toBe("4:59");
    crawl.pass(1);
    expect(crawl.of("time_update").at(-1)?.formatted).toBe("5:00");
    const grants = [...crawl.driver.sent(topics.grants.name)] as { readonly halt: string | null }[];
    expect(grants.at(-1)?.halt).toBe("timeout");
  });
});

test("seconds are written as minutes and two digits", () => {
  fc.assert(
    fc.property(fc.nat({ max: 1_000_000 }), (seconds) => {
      const [minutes = "", rest = "", ...more] = minutesAndSeconds(seconds).split(":");
      expect(more).toEqual([]);
      expect(rest).toMatch(/^[0-5][0-9]$/);
      expect(minutes).toMatch(/^(0|[1-9][0-9]*)$/);
      expect(Number(minutes) * 60 + Number(rest)).toBe(seconds);
    }),
  );
});
