import { afterEach, describe, expect, it } from "vitest";
import { eventSchema, type CrawlEvent } from "@sluice/records";
import { apiFleet, messages, post, type ApiFleet, type Got } from "../fleet/api-fleet.ts";
import { Graph, loopback } from "../fleet/graph.ts";
import { htmlPage, Origin, type Site } from "../fleet/origin.ts";
import type { Observer } from "../fleet/observer.ts";
import { testBrokers } from "./brokers.ts";

let run = 0;
const cleanups: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

interface World extends ApiFleet {
  readonly origin: Origin;
}

/** An origin, topics of its own, every service as a process, and two replicas of the API. */
async function world(addresses: readonly string[], site: Site): Promise<World> {
  run += 1;
  const origin = await Origin.start(addresses, site);
  cleanups.push(() => origin.close());
  const fleet = await apiFleet({
    brokers: testBrokers(),
    prefix: `api-test-${process.pid}-${run}.`,
    services: ["frontier", "rate-limit", "fetcher"],
  });
  cleanups.push(() => fleet.close());
  return { ...fleet, origin };
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

/** Each try begins before anything comes of it, each result is told of, and the last event is the last. */
function tellsEachUrl(events: readonly CrawlEvent[], observer: Observer): void {
  const started = new Set<string>();
  for (const event of events) {
    if (event.type === "url_started") started.add(`${event.url} ${event.depth}`);
    if (event.type === "url_crawled" || event.type === "sent_to_processing")
      expect(started).toContain(`${event.url} ${event.depth}`);
  }
  const processed = events.flatMap((event) => (event.type === "sent_to_processing" ? [event.resultId] : []));
  expect(processed.toSorted()).toEqual(observer.results.map((result) => result.result_id).toSorted());
  const types = events.map(({ type }) => type);
  expect(types.indexOf("job_completed")).toBe(types.length - 1);
  for (const type of ["urls_discovered", "url_failed", "progress", "time_update"] as const)
    expect(types).toContain(type);
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
    tellsEachUrl(eventsOf(observer, "outside"), observer);
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

  it("ends what is under way at the server within 5 s of a cancel, however slow its pages are", async () => {
    const addresses = loopback(46, 6);
    const { origin, apis } = await world(addresses, (_, path) => {
      if (path === "/robots.txt") return { status: 404 };
      if (path === "/")
        return htmlPage(
          "start",
          Array.from({ length: 30 }, (_, at) => `/slow/${at}`),
        );
      return { ...htmlPage(path, []), afterMs: 25_000 };
    });
    const [first = "", second = ""] = apis;
    await post(`${first}/v1/jobs`, {
      id: "slow",
      seeds: addresses.map((address) => origin.url(address)),
      politeness: { delayMs: 10, concurrencyPerHost: 3 },
    });
    const open = () => origin.log.filter(({ path, endMs }) => path !== "/" && Number.isNaN(endMs));
    const untilMs = performance.now() + 60_000;
    while (open().length < 12 && performance.now() < untilMs)
      await new Promise((resolve) => setTimeout(resolve, 50));
    expect(open().length).toBeGreaterThanOrEqual(12);
    expect((await post(`${second}/v1/jobs/slow/cancel`)).status).toBe(202);
    const answeredMs = performance.now();
    const last = (await messages(`${first}/v1/jobs/slow/events`, null, () => false)).at(-1);
    expect(last).toMatchObject({ type: "job_completed", event: { finishReason: "cancelled" } });
    // What would still come would have come by now.
    await new Promise((resolve) => setTimeout(resolve, 3000));
    expect(Math.max(...origin.log.map(({ startMs }) => startMs)) - answeredMs).toBeLessThan(5000);
    expect(open()).toEqual([]);
    expect(Math.max(...origin.log.map(({ endMs }) => endMs)) - answeredMs).toBeLessThan(5000);
  });

  it("ends a job at its time limit, with job_timeout as the last event", async () => {
    const [address = ""] = loopback(47, 1);
    const { origin, apis, observer } = await world([address], (_, path) =>
      path === "/robots.txt" ? { status: 404 } : htmlPage(path, [`${path}a`, `${path}b`]),
    );
    await post(`${apis[0]}/v1/jobs`, {
      id: "short",
      seeds: [origin.url(address)],
      politeness: { delayMs: 100 },
      limits: { maxDurationMs: 3000 },
    });
    const got = await messages(`${apis[1]}/v1/jobs/short/events`, null, () => false);
    expect(got.at(-1)?.type).toBe("job_timeout");
    expect(got.filter(({ type }) => type === "time_update").length).toBeGreaterThanOrEqual(3);
    // Its end may be told in one topic before it is read in the other.
    await observer.until("the last event", () =>
      eventsOf(observer, "short").some(({ type }) => type === "job_timeout"),
    );
    expect(eventsOf(observer, "short").at(-1)?.type).toBe("job_timeout");
  });

  it("makes one job of the same request at two replicas in the same moment", async () => {
    const [address = ""] = loopback(48, 1);
    const { origin, apis, observer } = await world([address], (_, path) =>
      path === "/robots.txt" ? { status: 404 } : htmlPage(path, []),
    );
    const ids = new Set<string>();
    for (let round = 0; round < 5; round += 1) {
      const body = { seeds: [origin.url(address, `/${round}`)], politeness: { delayMs: 10 } };
      const key = { "idempotency-key": `round-${round}` };
      const answers = await Promise.all([...apis, ...apis].map((api) => post(`${api}/v1/jobs`, body, key)));
      expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 200, 200, 201]);
      const bodies = await Promise.all(answers.map((answer) => answer.text()));
      expect(new Set(bodies).size).toBe(1);
      ids.add((JSON.parse(bodies[0] ?? "") as { id: string }).id);
    }
    for (const id of ids) await observer.ended(id);
    expect(ids.size).toBe(5);
    expect(observer.results.map(({ url }) => url).toSorted()).toEqual(
      [0, 1, 2, 3, 4].map((round) => origin.url(address, `/${round}`)),
    );
  });
});
