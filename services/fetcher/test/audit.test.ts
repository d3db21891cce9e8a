import { Breakers, type FetchAnswer } from "@sluice/http";
import { jobSchema, topics } from "@sluice/records";
import { StepDriver } from "@sluice/topology/testing";
import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { checkAudit } from "../src/audit-check.ts";
import type { FetchCall, FetchOutcome } from "../src/calls.ts";
import type { FetcherState } from "../src/core/hosts.ts";
import { performFetches } from "../src/perform.ts";
import { inlineReader } from "../src/reading/reader.ts";
import { RequestAudit, type AuditLine } from "../src/request-audit.ts";
import { fetcherStep, type PermitRecord } from "../src/step.ts";
import { noWait, permitOf, robotsAnswer } from "./answers.ts";
import { plainRequests } from "./plain-requests.ts";

interface Fields {
  readonly host?: string;
  readonly waitMs?: number;
  readonly waitSource?: string;
  readonly perMinuteMax?: number | null;
}

const startMs = Date.parse("2026-01-01T00:00:00.000Z");
const line = (atMs: number, fields: Fields = {}): string =>
  JSON.stringify({
    level: "info",
    time: new Date(startMs + atMs).toISOString(),
    event: "request",
    host: "a.example",
    waitMs: 1000,
    waitSource: "delay",
    perMinuteMax: null,
    ...fields,
  });

describe("the check of an audit", () => {
  it("finds nothing where each wait was kept, whichever fetcher wrote the line", () => {
    const lines = [
      line(2000),
      line(0),
      line(1000, { waitSource: "takeover" }),
      line(500, { host: "b.example" }),
    ];
    expect(checkAudit(lines)).toEqual({
      requests: 4,
      hosts: 2,
      unreadable: 0,
      perMinuteHighest: 3,
      waits: { delay: 3, takeover: 1 },
      faults: [],
      faultsCount: 0,
    });
  });

  it("names a host that was asked too soon, and why it had to wait", () => {
    const { faults } = checkAudit([line(0), line(900, { waitMs: 5000, waitSource: "crawl_delay" })]);
    expect(faults).toEqual([
      "a.example: asked 900 ms after the request before, 5000 ms had to be waited (crawl_delay)",
    ]);
  });

  it("names a host that was asked too often in any minute, not only in those of the clock", () => {
    const every = (ms: number) =>
      Array.from({ length: 12 }, (_, index) => line(30_000 + index * ms, { waitMs: 0, perMinuteMax: 10 }));
    expect(checkAudit(every(6000)).faults).toEqual([]);
    expect(checkAudit(every(5400)).faults[0]).toBe("a.example: 11 requests in a minute, 10 were allowed");
  });

  it("passes over other events, and counts lines that can't be read", () => {
    expect(checkAudit(['{"event":"starting"}', "no json", '{"event":"request"}', ""])).toMatchObject({
      requests: 0,
      unreadable: 2,
    });
  });

  it("ends with 1 where it found a fault", () => {
    const run = (input: string) =>
      spawnSync(process.execPath, [new URL("../src/audit-main.ts", import.meta.url).pathname], {
        input,
        encoding: "utf8",
      });
    expect(run(`${line(0)}\n${line(1000)}\n`).status).toBe(0);
    const bad = run(`${line(0)}\n${line(1)}\n`);
    expect(bad.status).toBe(1);
    expect(JSON.parse(bad.stdout)).toMatchObject({ requests: 2, faultsCount: 1 });
  });
});

describe("the audit", () => {
  const call: FetchCall = {
    kind: "robots",
    domain: "a.example",
    url: "http://a.example:8080/robots.txt",
    totalTimeoutMs: 1000,
    secrets: [],
    policy: {},
    ...noWait,
  };
  const failed: FetchAnswer = {
    kind: "failed",
    category: "connect",
    code: "ECONNREFUSED",
    message: "",
    requestSent: false,
    durationMs: 1,
  };

  it("has a line for each request that goes out, before it does, and none for what a breaker holds back", async () => {
    const lines: AuditLine[] = [];
    const audit = new RequestAudit((each) => lines.push(each));
    let asked = 0;
    const client = {
      fetch: async () => {
        asked += 1;
        expect(lines).toHaveLength(asked);
        return failed;
      },
    };
    const perform = performFetches(
      new Breakers(audit.around(client), { nowMs: () => 0, failuresMin: 2 }),
      plainRequests(),
      inlineReader(() => 0),
      () => 0,
      audit,
    );
    for (let index = 0; index < 5; index += 1) await perform(call, new AbortController().signal);
    expect(asked).toBe(2);
    expect(lines).toHaveLength(2);
    expect(lines[0]).toEqual({
      host: "a.example",
      domain: "a.example",
      kind: "robots",
      url: "http://a.example:8080/robots.txt",
      ...noWait.wait,
    });
  });

  it("says of a request how long ago the one before it ended and began, and what it had to wait", () => {
    const nowMs = 1_000_000_000_000;
    const job = jobSchema.parse({ id: "j", politeness: { delayMs: 2000 } });
    const driver = new StepDriver<FetcherState, PermitRecord, FetchCall, FetchOutcome>({
      step: fetcherStep(),
      nowMs,
      tables: { [topics.jobs.name]: [["j", job]] },
    });
    const permit = permitOf("https://a.example/", nowMs, { job: "j" });
    driver.feed(topics.permits.name, "a.example", { ...permit, delayMs: 2000 });
    const waits: FetchCall["wait"][] = [];
    for (let turn = 0; turn < 2; turn += 1) {
      while (driver.calls.size === 0) driver.advance(Math.max(1, (driver.nextWakeMs() ?? 0) - driver.nowMs));
      const [{ callId, request } = { callId: "", request: call }] = driver.calls.values();
      waits.push(request.wait);
      driver.advance(300);
      // The page is asked for when its host's robots.txt was.
      if (request.kind === "robots") driver.settle(callId, robotsAnswer(driver.nowMs, "404", [], {}));
    }
    const same = { job: "j", waitMs: 2000, concurrency: 1, perMinuteMax: null };
    expect(waits).toEqual([
      { ...same, waitSource: "takeover", sinceEndMs: null, sinceStartMs: null, perMinute: 1 },
      { ...same, waitSource: "delay", sinceEndMs: 2000, sinceStartMs: 2300, perMinute: 2 },
    ]);
  });
});
