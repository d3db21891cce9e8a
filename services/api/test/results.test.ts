import { topics } from "@sluice/records";
import type { Broker } from "@sluice/runtime";
import { Metrics } from "@sluice/telemetry";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Api } from "../src/api.ts";
import { problemSchema } from "../src/problem.ts";
import {
  apiWorld,
  completedEvent,
  eventRecord,
  layout,
  resultOf,
  resultRecord,
  statusRecord,
  submission,
  type ApiWorld,
} from "./api-world.ts";
import { SseReader } from "./sse-client.ts";

const job = "told";
let world: ApiWorld;
let api: Api;
let metrics: Metrics;
/** First offsets that readers of results were opened at. */
let opened: number[][];

beforeEach(async () => {
  world = await apiWorld();
  metrics = new Metrics({ service: "api" });
  opened = [];
  const client = world.cluster.connect("counted");
  const broker: Broker = {
    admin: client.admin,
    groupConsumer: (options) => client.groupConsumer(options),
    transactionalProducer: (id) => client.transactionalProducer(id),
    timeMs: (topic) => client.timeMs(topic),
    producer: () => client.producer(),
    close: () => client.close(),
    tail: (options) => {
      if (options.from[0]?.topic === layout.prefix + topics.results.name)
        opened.push(options.from.map(({ offset }) => Number(offset)));
      return client.tail(options);
    },
  };
  api = await world.replica("api-1", { broker, metrics });
  await submit();
});
afterEach(() => world.close());

const submit = () =>
  api.app.inject({
    method: "POST",
    url: "/v1/jobs",
    payload: submission({ id: job, limits: { maxPages: 9 } }),
  });
const write = (run: number, ...numbers: readonly number[]) =>
  world.write(numbers.map((number) => resultRecord(resultOf(job, run, number), number % layout.partitions)));
const end = (run: number) =>
  world.write([eventRecord(completedEvent(job, run)), statusRecord(job, run, { state: "ended" })]);

async function get(url: string): Promise<{ ids: readonly string[]; next: string | null; status: number }> {
  const answer = await api.app.inject(url);
  const link = answer.headers["link"];
  return {
    status: answer.statusCode,
    ids: answer.statusCode === 200 ? idsOf(answer.body) : [],
    next: typeof link === "string" ? (/^<(.*)>; rel="next"$/.exec(link)?.[1] ?? "no link") : null,
  };
}

const idsOf = (body: string): readonly string[] =>
  body
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => (JSON.parse(line) as { url_id: string }).url_id);

describe("results over HTTP", () => {
  it("go on where an answer ended, until the run has", async () => {
    await write(1, 1, 2, 3);
    await world.pass(500);
    const first = await get(`/v1/jobs/${job}/results`);
    expect(first.ids.toSorted()).toEqual(["1", "2", "3"]);
    const none = await get(first.next ?? "");
    expect(none.ids).toEqual([]);
    await write(1, 4, 5);
    await end(1);
    await world.pass(500);
    await world.until(async () => (await get(first.next ?? "")).next === null);
    expect((await get(none.next ?? "")).ids.toSorted()).toEqual(["4", "5"]);
    expect((await get(`/v1/jobs/${job}/results`)).next).toBeNull();
  });

  it("come page by page, each once, and the last page has no next one", async () => {
    const numbers = Array.from({ length: 23 }, (_, at) => at);
    await write(1, ...numbers);
    await end(1);
    await world.pass(500);
    await world.until(async () => (await get(`/v1/jobs/${job}/results`)).next === null);
    const got: string[] = [];
    let pages = 0;
    for (let url: string | null = `/v1/jobs/${job}/results?limit=5`; url !== null; pages += 1) {
      const page: Awaited<ReturnType<typeof get>> = await get(url);
      expect(page.ids.length).toBeLessThanOrEqual(5);
      got.push(...page.ids);
      url = page.next;
    }
    expect(got.toSorted()).toEqual(numbers.map(String).toSorted());
    expect(pages).toBe(5);
  });

  it("are looked for from where the topic stood when the run was submitted", async () => {
    await write(1, ...Array.from({ length: 30 }, (_, at) => at));
    await end(1);
    await world.pass(500);
    await world.until(async () => (await submit()).statusCode === 201);
    const [before] = [await world.broker.admin.watermarks(layout.prefix + topics.results.name)].map((marks) =>
      marks.map(({ high }) => high),
    );
    await api.app.inject({ method: "POST", url: `/v1/jobs/${job}/pause` });
    await write(2, 100, 101);
    await world.pass(500);
    opened = [];
    expect((await get(`/v1/jobs/${job}/results`)).ids.toSorted()).toEqual(["100", "101"]);
    expect(opened[0]?.every((offset) => before?.includes(offset))).toBe(true);
    expect(Math.min(...(opened[0] ?? []))).toBeGreaterThan(0);
    // What an earlier run has is not forgotten.
    expect((await get(`/v1/jobs/${job}/results?run=1`)).ids).toHaveLength(30);
  });

  it("refuse a position that is none, and a limit that is none, and name them", async () => {
    for (const [query, field] of [
      ["after=1.2", "after"],
      ["after=x", "after"],
      ["after=1000.0.0", "after"],
      ["limit=0", "limit"],
      ["limit=10001", "limit"],
      ["before=1", "before"],
    ]) {
      const answer = await api.app.inject(`/v1/jobs/${job}/results?${query}`);
      expect(answer.statusCode).toBe(400);
      expect(problemSchema.parse(answer.json()).errors).toMatchObject([{ field }]);
    }
  });
});

describe("what is counted", () => {
  const count = async (line: string): Promise<number> => {
    const found = (await api.metrics()).split("\n").find((each) => each.startsWith(line));
    return found === undefined ? Number.NaN : Number(found.split(" ").at(-1));
  };
  const requests = (route: string, status: string, method = "GET") =>
    count(`sluice_api_requests_total{route="${route}",method="${method}",status="${status}"`);

  it("requests by declared route, method and class, and those of strangers as one", async () => {
    for (const url of ["/v1/jobs/told", "/v1/jobs/none", "/v1/jobs/other"]) await api.app.inject(url);
    for (const url of ["/a", "/b?c", "/%"]) await api.app.inject(url);
    expect(await requests("/v1/jobs/:id", "2xx")).toBe(1);
    expect(await requests("/v1/jobs/:id", "4xx")).toBe(2);
    expect(await requests("/v1/jobs", "2xx", "POST")).toBe(1);
    expect(await requests("none", "4xx")).toBe(2);
    expect(await count("sluice_api_request_seconds_count")).toBe(6);
  });

  it("streams: how many are open, what they carried and how they ended", async () => {
    const address = await api.app.listen({ host: "127.0.0.1", port: 0 });
    const reader = SseReader.of(await fetch(`${address}/v1/jobs/${job}/events`));
    await reader.next();
    expect(await count('sluice_api_open_streams{kind="events"')).toBe(1);
    expect(await count("sluice_api_open_streams_limit")).toBe(8);
    await end(1);
    await reader.rest();
    expect(await count("sluice_api_streamed_events_total")).toBe(1);
    expect(await count('sluice_api_ended_streams_total{reason="complete"')).toBe(1);
    await world.until(async () => (await submit()).statusCode === 201);
    const second = SseReader.of(await fetch(`${address}/v1/jobs/${job}/events`));
    await second.next();
    await second.cancel();
    await world.until(async () => (await count('sluice_api_ended_streams_total{reason="client"')) === 1);
    expect(await count('sluice_api_open_streams{kind="events"')).toBe(0);
    await (await fetch(`${address}/v1/jobs/${job}/results`)).text();
    expect(await count('sluice_api_ended_streams_total{reason="complete"')).toBe(2);
    // Streams are no time until an answer.
    const before = await count("sluice_api_request_seconds_count");
    await (await fetch(`${address}/v1/jobs/${job}/results`)).text();
    expect(await count("sluice_api_request_seconds_count")).toBe(before);
    await (await fetch(`${address}/v1/jobs/${job}`)).text();
    expect(await count("sluice_api_request_seconds_count")).toBe(before + 1);
  });
});
