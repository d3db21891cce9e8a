/** robots.txt from a server on loopback, through the breaker, the guard and the client, to what becomes of the page. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { Breakers, createHttpClient, type HttpClient } from "@sluice/http";
import { topics, type Outcome, type Result } from "@sluice/records";
import { StepDriver } from "@sluice/topology/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { FetchCall, FetchOutcome } from "../src/calls.ts";
import type { FetcherState } from "../src/core/hosts.ts";
import { performFetches } from "../src/perform.ts";
import { inlineReader } from "../src/reading/reader.ts";
import { RequestMaker } from "../src/request-maker.ts";
import { SecretStore } from "../src/secrets.ts";
import { fetcherStep, type PermitRecord } from "../src/step.ts";
import { jobOf, permitOf } from "./answers.ts";

const rules = "User-agent: *\nDisallow: /x\n";
const delayMs = 1000;
/** A KiB. */
const comment = `${"#".repeat(1023)}\n`;
const bomb = gzipSync(rules + comment.repeat(100_000));

interface RobotsAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** The body goes on with it for ever. */
  readonly forever?: string;
}

let server: Server;
let client: HttpClient;
let origin = "";
let robots: RobotsAnswer = { status: 404 };
let asked: string[] = [];

beforeAll(async () => {
  server = createServer((request, response) => {
    const path = request.url ?? "";
    asked.push(path);
    const {
      status,
      headers = {},
      body = "",
      forever,
    }: RobotsAnswer = path === "/x" ? { status: 200, headers: { "content-type": "text/html" } } : robots;
    response.writeHead(status, headers);
    if (forever === undefined) return void response.end(body);
    const pump = (): void => {
      while (!response.destroyed && response.write(forever));
    };
    response.on("drain", pump).write(body);
    pump();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  client = createHttpClient({ userAgent: "test", isAllowed: () => ({ allowed: true, reason: "a test" }) });
});

afterAll(async () => {
  await client.destroy();
  server.close();
});

/** Permits one page and makes the requests that the step asks for, by a clock that goes on only where it waits. */
async function fetchPage(): Promise<{ category: string; robots: string | null; gapsMs: readonly number[] }> {
  asked = [];
  const secrets = new SecretStore({ env: {}, dir: null, monotonicMs: () => 0 });
  const perform = performFetches(
    new Breakers(client, { nowMs: Date.now }),
    new RequestMaker({ secrets, route: {}, trustedProxies: [] }),
    inlineReader(Date.now),
    Date.now,
  );
  const driver: StepDriver<FetcherState, PermitRecord, FetchCall, FetchOutcome> = new StepDriver({
    step: fetcherStep(),
    tables: { [topics.jobs.name]: [["j", jobOf("j", { attempts: "1" })]] },
  });
  const fields = { job: "j", delayMs: String(delayMs) };
  driver.feed(topics.permits.name, "127.0.0.1", permitOf(`${origin}/x`, driver.nowMs, fields));
  const startsMs: number[] = [];
  while (driver.sent(topics.outcomes.name).length === 0 && startsMs.length < 10) {
    const [call] = driver.calls.values();
    if (call === undefined) driver.advance(100);
    else {
      startsMs.push(driver.nowMs);
      driver.settle(call.callId, await perform(call.request, new AbortController().signal));
    }
  }
  const [outcome] = driver.sent(topics.outcomes.name) as Outcome[];
  const [result] = driver.sent(topics.results.name) as Result[];
  return {
    category: outcome?.category ?? "none",
    robots: result?.robots_status ?? outcome?.robotsStatus ?? null,
    gapsMs: startsMs.slice(1).map((startMs, index) => startMs - (startsMs[index] ?? 0)),
  };
}

describe("robots.txt over sockets", () => {
  test.each([undefined, "text/plain", "text/html", "application/json", "image/png", "no type at all; ;"])(
    "is read whatever its content type says: %s",
    async (type) => {
      robots = { status: 200, body: rules, headers: type === undefined ? {} : { "content-type": type } };
      expect(await fetchPage()).toMatchObject({ category: "robots", robots: "parsed" });
      expect(asked).toEqual(["/robots.txt"]);
    },
  );

  test.each([
    ["a page", "<!doctype html><title>Not found</title><p>Disallow is a word"],
    ["no text at all", Buffer.from([0xff, 0xfe, 0, 0x89, 0x50, 0x4e, 0x47, 0])],
    ["empty", ""],
  ])("that is %s has no rules, and the host is asked", async (_, body) => {
    robots = { status: 200, headers: { "content-type": "text/html" }, body };
    expect(await fetchPage()).toMatchObject({ category: "ok", robots: "parsed" });
    expect(asked).toEqual(["/robots.txt", "/x"]);
  });

  test.each<[string, RobotsAnswer]>([
    ["of 600 KiB", { status: 200, body: `${rules}${comment.repeat(600)}Allow: /x\n` }],
    ["without an end", { status: 200, body: rules, forever: comment }],
    ["that unpacks to 100 MB", { status: 200, headers: { "content-encoding": "gzip" }, body: bomb }],
  ])("%s is read to its limit", async (_, answer) => {
    robots = answer;
    expect(await fetchPage()).toMatchObject({ category: "robots", robots: "parsed" });
    expect(asked).toEqual(["/robots.txt"]);
  });

  test("that redirects in a circle is asked for six times, a delay apart, and then is as if there were none", async () => {
    robots = { status: 301, headers: { location: "/robots.txt" } };
    expect(await fetchPage()).toEqual({
      category: "ok",
      robots: "allow_all",
      gapsMs: Array.from({ length: 6 }, () => delayMs),
    });
    expect(asked).toEqual([...Array.from({ length: 6 }, () => "/robots.txt"), "/x"]);
  });
});
