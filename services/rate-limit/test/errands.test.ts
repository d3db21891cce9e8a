import { jobSchema, topics, type Due, type Outcome, type Permit } from "@sluice/records";
import { StepDriver } from "@sluice/topology/testing";
import { describe, expect, test } from "vitest";
import type { RateLimitState } from "../src/core/domains.ts";
import { rateLimitStep, type RateLimitRecord } from "../src/step.ts";
import { answeredAt, dueOf } from "./records.ts";

const job = jobSchema.parse({ id: "j", politeness: { delayMs: 1000 } });
const host = "victim.example";

type Driver = StepDriver<RateLimitState, RateLimitRecord>;

const open = (): Driver =>
  new StepDriver({ step: rateLimitStep(), tables: { [topics.jobs.name]: [["j", job]] } });

/** robots.txt of a.example redirects to the host: with what is due there comes the permit that waits for it. */
function errandOf(releaseId: string, nowMs: number): Due {
  const leaseUntilMs = nowMs + 600_000;
  const permit = {
    ...dueOf("a.example", releaseId, nowMs, { job: "j", leaseUntilMs }),
    notBeforeMs: nowMs,
    delayMs: 1000,
    concurrency: 1,
    intervalMs: 0,
    waitSource: "delay" as const,
  };
  const errand = { domain: "a.example", hops: 1, permit };
  return dueOf(host, `${releaseId}~1`, nowMs, { job: "j", leaseUntilMs, errand });
}

function answer(driver: Driver, due: Due, fields: Partial<Outcome>): void {
  driver.feed(topics.outcomes.name, host, answeredAt(due, driver.nowMs, { ok: false, ...fields }));
}

describe("what another domain's robots.txt redirects to", () => {
  test("gets its slot by the clock of the host that is asked, in line with the host's own URLs", () => {
    const driver = open();
    const errands = [errandOf("r1", driver.nowMs), errandOf("r2", driver.nowMs)];
    const own = dueOf(host, "own", driver.nowMs, { job: "j" });
    for (const due of [...errands, own]) driver.feed(topics.due.name, host, due);
    const startsMs: number[] = [];
    for (const due of [...errands, own]) {
      for (let n = 0; n < 100 && driver.sent(topics.permits.name).length <= startsMs.length; n += 1)
        driver.advance(50);
      const permit = driver.sent(topics.permits.name)[startsMs.length] as Permit;
      expect(permit).toMatchObject({ releaseId: due.releaseId, url: due.url });
      expect(permit.errand).toEqual(due.errand);
      const startMs = Math.max(permit.notBeforeMs, driver.nowMs);
      startsMs.push(startMs);
      driver.advance(startMs - driver.nowMs);
      answer(driver, due, {});
    }
    expect(startsMs[1]).toBeGreaterThanOrEqual((startsMs[0] ?? 0) + 1000);
    expect(startsMs[2]).toBeGreaterThanOrEqual((startsMs[1] ?? 0) + 1000);
  });

  test("goes back as a permit of the first domain where the host may not be asked soon", () => {
    const driver = open();
    const first = errandOf("r1", driver.nowMs);
    driver.feed(topics.due.name, host, first);
    answer(driver, first, { category: "http_429", retryAfterMs: 3_600_000 });
    driver.takeSent();
    const untilMs = driver.nowMs + 3_600_000;
    driver.feed(topics.due.name, host, errandOf("r2", driver.nowMs));
    const [back, ...others] = driver.takeSent().filter(({ topic }) => topic !== topics.hosts.name);
    expect(others).toEqual([]);
    expect(back).toMatchObject({
      topic: topics.permits.name,
      key: "a.example",
      value: {
        releaseId: "r2",
        url: "https://a.example/r2",
        answer: { hops: 1, url: `https://${host}/r2~1`, said: { kind: "held", untilMs } },
      },
    });
  });

  test("goes back as refused where the host is blocked, without an event of a URL that nobody wants", () => {
    const driver = open();
    driver.table(topics.policies.name, host, { blocked: { reason: "asked by the owner" } });
    driver.feed(topics.due.name, host, errandOf("r1", driver.nowMs));
    const sent = driver.takeSent();
    expect(sent.map(({ topic, key }) => [topic, key])).toEqual([[topics.permits.name, "a.example"]]);
    expect(sent[0]?.value).toMatchObject({
      answer: { said: { kind: "refused", message: "asked by the owner" } },
    });
  });

  test("goes back when its lease is over, for those to answer who have the permit", () => {
    const driver = open();
    driver.feed(topics.due.name, host, { ...errandOf("r1", driver.nowMs), leaseUntilMs: driver.nowMs - 1 });
    const [sent] = driver.takeSent();
    expect(sent).toMatchObject({
      key: "a.example",
      value: { releaseId: "r1", answer: { said: { kind: "held" } } },
    });
  });
});

test("a permit that leaves for another domain gives its place back, and so does what was asked there", () => {
  const driver = open();
  const waiting = ["r1", "r2", "r3"].map((id) => dueOf(host, id, driver.nowMs, { job: "j" }));
  for (const due of waiting) driver.feed(topics.due.name, host, due);
  const ids = (): readonly string[] =>
    driver.sent(topics.permits.name).map((permit) => (permit as Permit).releaseId);
  driver.advance(10_000);
  expect(ids()).toEqual(["r1"]);
  const [first] = waiting;
  if (first === undefined) throw new Error("nothing waits");
  answer(driver, { ...first, releaseId: "r1~1" }, { category: "robots", errand: "r1" });
  driver.advance(10_000);
  expect(ids()).toEqual(["r1", "r2"]);
});
