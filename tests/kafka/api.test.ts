import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { eventSchema, type CrawlEvent } from "@sluice/records";
import { Fleet } from "../fleet/fleet.ts";
import { Graph, loopback } from "../fleet/graph.ts";
import { htmlPage, Origin, type Site } from "../fleet/origin.ts";
import { Observer } from "../fleet/observer.ts";
import { testBrokers } from "./brokers.ts";

let run = 0;
const cleanups: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

interface World {
  readonly origin: Origin;
  readonly observer: Observer;
  readonly fleet: Fleet;
  /** Addresses of the replicas of the API. */
  readonly apis: readonly string[];
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** An origin, topics of its own, every service as a process, and two replicas of the API. */
async function world(addresses: readonly string[], site: Site): Promise<World> {
  run += 1;
  const prefix = `api-test-${process.pid}-${run}.`;
  const origin = await Origin.start(addresses, site);
  cleanups.push(() => origin.close());
  const observer = await Observer.open(testBrokers(), prefix, 4);
  cleanups.push(() => observer.close());
  const dir = mkdtempSync(join(tmpdir(), "sluice-fleet-"));
  cleanups.push(() => rmSync(dir, { recursive: true, force: true }));
  const fleet = new Fleet(dir, {
    KAFKA_BROKERS: testBrokers().join(","),
    SLUICE_PREFIX: prefix,
    SLUICE_PARTITIONS: "4",
    SLUICE_FETCHER_ALLOW_PRIVATE: "127.0.0.0/8",
    // A replica that is started again takes any port: the one it had may be taken by then.
    SLUICE_API_PORT: "0",
  });
  cleanups.push(() => fleet.stop());
  const apis: string[] = [];
  for (const index of [0, 1]) {
    const port = await freePort();
    fleet.start("api", index, { SLUICE_API_PORT: String(port) });
    apis.push(`http://127.0.0.1:${port}`);
  }
  for (const service of ["frontier", "rate-limit", "fetcher"] as const) fleet.start(service);
  for (const api of apis) await ready(api);
  return { origin, observer, fleet, apis };
}

async function ready(api: string): Promise<void> {
  const until = performance.now() + 60_000;
  for (;;) {
    const answer = await fetch(`${api}/readyz`).catch(() => null);
    if (answer?.status === 200) return;
    if (performance.now() > until) throw new Error(`${api} did not become ready`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const post = (url: string, body?: object, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(url, {
    method: "POST",
    headers: { ...headers, ...(body === undefined ? {} : { "content-type": "application/json" }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });

interface Got {
  readonly id: string | null;
  readonly type: string;
  readonly event: unknown;
}

/** Reads messages until `enough` says so, then goes away; to the end of the stream where it never does. */
async function messages(
  url: string,
  lastId: string | null,
  enough: (got: Got) => boolean,
): Promise<readonly Got[]> {
  const gone = new AbortController();
  const response = await fetch(url, {
    signal: gone.signal,
    headers: lastId === null ? {} : { "last-event-id": lastId },
  });
  if (response.status === 204) return [];
  expect(response.status).toBe(200);
  const all: Got[] = [];
  let text = "";
  for await (const part of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += part;
    const blocks = text.split("\n\n");
    text = blocks.pop() ?? "";
    for (const block of blocks) {
      const field = (name: string): string | null =>
        new RegExp(`^${name}: (.*)$`, "m").exec(block)?.[1] ?? null;
      const data = field("data");
      if (data === null) continue;
      const got = { id: field("id"), type: field("event") ?? "", event: JSON.parse(data) as unknown };
      all.push(got);
      if (!enough(got)) continue;
      gone.abort();
      return all;
    }
  }
  return all;
}

const isEvent = ({ id }: Got): boolean => id !== null;
const eventsOf = (observer: Observer, job: string): readonly CrawlEvent[] =>
  observer.events.filter((event) => event.job === job);
const linesOf = (text: string): readonly string[] => text.split("\n").filter((line) => line !== "");

async function graphWorld(block: number, pagesPerHost: number): Promise<World & { readonly graph: Graph }> {
  const addresses = loopback(block, 6);
  let port = 0;
  const graph = new Graph({ hosts: addresses, pagesPerHost, port: () => port, seed: block, crossLinks: 2 });
  const made = await world(addresses, (host, path) => graph.site(host, path));
  port = made.origin.port;
  return { ...made, graph };
}

describe("the API on a real Kafka, each service a process of its own", () => {
  it("takes a job, tells its events to the last one, and gives its results as they lie in the topic", async () => {
    const { observer, apis, graph } = await graphWorld(41, 10);
    const [first = "", second = ""] = apis;
    const seed = graph.url(0, "/");
    const body = { id: "outside", seeds: [seed], scope: { kind: "any" }, politeness: { delayMs: 50 } };
    const submitted = await post(`${first}/v1/jobs`, body, { "idempotency-key": "k1" });
    expect(submitted.status).toBe(201);
    const again = await post(`${second}/v1/jobs`, body, { "idempotency-key": "k1" });
    expect([again.status, await again.json()]).toEqual([200, await submitted.json()]);
    const got = await messages(`${second}/v1/jobs/outside/events`, null, () => false);
    expect(got[0]).toMatchObject({ id: null, type: "stream_connected" });
    expect(got.at(-1)?.type).toBe("job_completed");
    await observer.until("the last event", () =>
      eventsOf(observer, "outside").some(({ type }) => type === "job_completed"),
    );
    expect(got.filter(isEvent).map(({ event }) => eventSchema.parse(event))).toEqual(
      eventsOf(observer, "outside"),
    );
    const answers = await Promise.all(
      apis.map((api) => fetch(`${api}/v1/jobs/outside/results`).then((answer) => answer.text())),
    );
    const expected = observer.results.map((result) => JSON.stringify(result)).toSorted();
    expect(new Set(observer.results.map(({ url }) => url))).toEqual(graph.reachable([seed]));
    for (const answer of answers) expect(linesOf(answer).toSorted()).toEqual(expected);
    const views = await Promise.all(
      apis.map((api) => fetch(`${api}/v1/jobs/outside`).then((answer) => answer.json())),
    );
    expect(views[0]).toEqual(views[1]);
    expect(views[0]).toMatchObject({
      state: "ended",
      run: 1,
      status: { finishReason: "completed", waiting: 0, inFlight: 0 },
    });
    const next = await post(`${first}/v1/jobs`, body);
    expect([next.status, await next.json()]).toMatchObject([201, { run: 2 }]);
    expect((await post(`${second}/v1/jobs`, body)).status).toBe(409);
    const anew = await messages(`${first}/v1/jobs/outside/events`, null, () => false);
    expect(anew.at(-1)).toMatchObject({ type: "job_completed", event: { run: 2 } });
  });

  it("tells events without a gap or a repeat over 50 dropped connections, by turns on two replicas of which one is killed", async () => {
    const { observer, fleet, apis, graph } = await graphWorld(42, 20);
    const [first = ""] = apis;
    await post(`${first}/v1/jobs`, {
      id: "torn",
      seeds: [graph.url(0, "/")],
      scope: { kind: "any" },
      politeness: { delayMs: 200 },
    });
    const got: Got[] = [];
    let drops = 0;
    for (; drops < 50; drops += 1) {
      let left = 1 + (drops % 4);
      const api = apis[drops % 2] ?? first;
      if (drops === 25) fleet.kill("api", 1, "SIGKILL");
      const url = `${drops >= 25 ? first : api}/v1/jobs/torn/events`;
      const part = await messages(url, got.at(-1)?.id ?? null, (each) => isEvent(each) && (left -= 1) === 0);
      got.push(...part.filter(isEvent));
    }
    got.push(
      ...(await messages(`${first}/jobs/torn/stream`, got.at(-1)?.id ?? null, () => false)).filter(isEvent),
    );
    expect(got.at(-1)?.type).toBe("job_completed");
    await observer.until("the last event", () =>
      eventsOf(observer, "torn").some(({ type }) => type === "job_completed"),
    );
    expect(got.map(({ event }) => event)).toEqual(eventsOf(observer, "torn"));
    expect(new Set(got.map(({ id }) => id)).size).toBe(got.length);
  });

  it("pauses, resumes and cancels: the last request at the server comes within 5 s", async () => {
    const addresses = loopback(43, 8);
    const { origin, observer, apis } = await world(addresses, (_, path) =>
      path === "/robots.txt" ? { status: 404 } : htmlPage(path, [`${path}a`, `${path}b`]),
    );
    const [first = "", second = ""] = apis;
    const quiet = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
    await post(`${first}/v1/jobs`, {
      id: "stop",
      seeds: addresses.map((address) => origin.url(address)),
      politeness: { delayMs: 50 },
    });
    await observer.until("30 results", () => observer.results.length >= 30);
    expect((await post(`${second}/v1/jobs/stop/pause`)).status).toBe(202);
    await quiet(5000);
    const paused = origin.log.length;
    await quiet(1500);
    expect(origin.log).toHaveLength(paused);
    expect((await post(`${first}/v1/jobs/stop/resume`)).status).toBe(202);
    await observer.until("more results", () => observer.results.length >= paused + 20);
    const cancelledAtMs = performance.now();
    expect((await post(`${second}/v1/jobs/stop/cancel`)).status).toBe(202);
    const last = (await messages(`${first}/v1/jobs/stop/events`, null, () => false)).at(-1);
    expect(last).toMatchObject({ type: "job_completed", event: { finishReason: "cancelled" } });
    expect(Math.max(...origin.log.map(({ startMs }) => startMs)) - cancelledAtMs).toBeLessThan(5000);
  });
});
