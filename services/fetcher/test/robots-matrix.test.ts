import { topics, type CrawlEvent, type Outcome, type Result } from "@sluice/records";
import { StepDriver } from "@sluice/topology/testing";
import { describe, expect, test } from "vitest";
import type { FetchCall, FetchOutcome } from "../src/calls.ts";
import type { FetcherState } from "../src/core/hosts.ts";
import { fetcherStep, type PermitRecord } from "../src/step.ts";
import { jobOf, pageAnswer, permitOf, robotsAnswer } from "./answers.ts";

type Driver = StepDriver<FetcherState, PermitRecord, FetchCall, FetchOutcome>;

const open = (attempts: string): Driver =>
  new StepDriver({ step: fetcherStep(), tables: { [topics.jobs.name]: [["j", jobOf("j", { attempts })]] } });

function permit(driver: Driver, host: string, path: string): void {
  const fields = { job: "j", delayMs: "0" };
  driver.feed(topics.permits.name, host, permitOf(`https://${host}${path}`, driver.nowMs, fields));
}

/** What becomes of a page that robots.txt, if it is read, forbids; and what is recorded of the decision. */
function decisionOn(answers: readonly string[], location?: string): unknown {
  // The last try: what would be tried again is given up, and says why.
  const driver = open("1");
  permit(driver, "a.example", "/x");
  for (const status of answers) {
    const [call] = driver.calls.values();
    if (call?.request.kind !== "robots") throw new Error(`robots.txt is not asked for before ${status}`);
    const fields = location === undefined ? {} : { location };
    driver.settle(call.callId, robotsAnswer(driver.nowMs, status, ["Disallow: /x"], fields));
  }
  const [call] = driver.calls.values();
  if (call?.request.kind === "robots") return "asks again";
  if (call !== undefined) driver.settle(call.callId, pageAnswer(driver.nowMs, "200", {}));
  const sent = driver.takeSent();
  const result = sent.find(({ topic }) => topic === topics.results.name)?.value as Result | undefined;
  const outcome = sent.find(({ topic }) => topic === topics.outcomes.name)?.value as Outcome | undefined;
  const event = sent.find(
    ({ topic, value }) => topic === topics.events.name && (value as CrawlEvent).type === "url_failed",
  )?.value as Extract<CrawlEvent, { type: "url_failed" }> | undefined;
  return [
    call === undefined ? "not asked" : "asked",
    outcome?.category,
    result?.robots_status ?? event?.robotsStatus,
  ];
}

const forbidden = ["not asked", "robots", "parsed"];
const allowed = ["asked", "ok", "allow_all"];
const unreachable = ["not asked", "robots_unreachable", "unreachable"];

describe("an answer to robots.txt (RFC 9309 §2.3.1)", () => {
  test.each([
    ["200", forbidden],
    ["203", forbidden],
    ["400", allowed],
    ["401", allowed],
    ["403", allowed],
    ["404", allowed],
    ["410", allowed],
    ["451", allowed],
    ["429", unreachable],
    ["500", unreachable],
    ["502", unreachable],
    ["503", unreachable],
    ["599", unreachable],
  ])("of %s", (status, decision) => {
    expect(decisionOn([status])).toEqual(decision);
  });

  test.each([
    "dns",
    "connect",
    "tls",
    "timeout_connect",
    "timeout_headers",
    "timeout_total",
    "reset",
    "protocol",
  ])("that ends as %s: nothing is fetched, and the result says so", (category) => {
    expect(decisionOn([category])).toEqual(["not asked", category, "unreachable"]);
  });

  test.each(["301", "302", "303", "307", "308"])("of %s is followed five times, and no more", (status) => {
    const to = (n: number): string => `https://a.example/${n}`;
    expect(decisionOn([status, "200"], to(1))).toEqual(forbidden);
    expect(decisionOn([...Array.from({ length: 5 }, () => status), "200"], to(1))).toEqual(forbidden);
    expect(
      decisionOn(
        Array.from({ length: 6 }, () => status),
        to(1),
      ),
    ).toEqual(allowed);
  });

  test("that redirects to itself ends as if there were none", () => {
    const loop = Array.from({ length: 6 }, () => "301");
    expect(decisionOn(loop, "https://a.example/robots.txt")).toEqual(allowed);
  });

  test("that redirects to nothing that can be asked is as if there were none", () => {
    expect(decisionOn(["301"])).toEqual(allowed);
    expect(decisionOn(["302"], "ftp://a.example/robots.txt")).toEqual(allowed);
  });
});
