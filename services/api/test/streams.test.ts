import type { Socket } from "node:net";
import { decodeRecord, partitionOf, topics, type CrawlEvent } from "@sluice/records";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Api } from "../src/api.ts";
import { problemSchema } from "../src/problem.ts";
import type { StreamEvent } from "../src/stream-events.ts";
import {
  apiWorld,
  completedEvent,
  crawledEvent,
  eventRecord,
  keyed,
  layout,
  neighbourOf,
  statusRecord,
  submission,
  type ApiWorld,
} from "./api-world.ts";
import { eventIn, SseReader } from "./sse-client.ts";

const job = "watched";
const partition = partitionOf(job, layout.partitions);
const topic = layout.prefix + topics.events.name;
const other = neighbourOf(job);

let world: ApiWorld;
let api: Api;

beforeEach(async () => {
  world = await apiWorld();
  api = await world.replica("api-1");
  await api.app.inject({ method: "POST", url: "/v1/jobs", payload: submission({ id: job }) });
});
afterEach(() => world.close());

async function addressOf({ app }: Api): Promise<string> {
  return app.server.listening
    ? `http://127.0.0.1:${(app.server.address() as { port: number }).port}`
    : app.listen({ host: "127.0.0.1", port: 0 });
}

async function connect(
  to: Api,
  lastId: string | null = null,
  path = `/v1/jobs/${job}/events`,
): Promise<Response> {
  return fetch((await addressOf(to)) + path, { headers: lastId === null ? {} : { "last-event-id": lastId } });
}

const write = (...events: readonly CrawlEvent[]): Promise<void> => world.write(events.map(eventRecord));
const end = (run = 1): Promise<void> =>
  world.write([eventRecord(completedEvent(job, run)), statusRecord(job, run, { state: "ended" })]);

/** Events of the job as they lie in the topic, each under its position. */
function inTopic(run = 1): readonly (readonly [string, CrawlEvent])[] {
  return (world.cluster.committed(topic)[partition] ?? []).flatMap(({ offset, value }) => {
    const decoded = decodeRecord(topics.events.name, value);
    const event = decoded.kind === "value" ? (decoded.value as CrawlEvent) : null;
    return event?.job === job && event.run === run ? [[`${partition}:${offset}`, event] as const] : [];
  });
}

describe("the events of a job", () => {
  it("begin with stream_connected, tell all of the run from its first event, and end with its last", async () => {
    await write(crawledEvent(other, 1, 0), crawledEvent(job, 1, 1), crawledEvent(job, 1, 2));
    const reader = SseReader.of(await connect(api));
    const first = await reader.next();
    expect([first?.event, first?.id]).toEqual(["stream_connected", null]);
    expect(eventIn(first)).toMatchObject({ job, run: 1 });
    await reader.next();
    await write(crawledEvent(job, 1, 3), crawledEvent(other, 1, 4), crawledEvent(job, 1, 5));
    await world.write([{ ...keyed(topics.events.name, job, {}), value: "no event" }]);
    await end();
    await write(crawledEvent(other, 1, 6));
    const messages = await reader.rest();
    const [, ...rest] = inTopic();
    expect(messages.map((each) => [each.id, eventIn(each)])).toEqual(rest);
    expect(messages.at(-1)?.event).toBe("job_completed");
  });

  it("are there under both paths, as an event stream that no proxy keeps", async () => {
    await end();
    for (const path of [`/v1/jobs/${job}/events`, `/jobs/${job}/stream`]) {
      const response = await connect(api, null, path);
      expect(response.headers.get("content-type")).toContain("text/event-stream");
      expect(response.headers.get("cache-control")).toBe("no-store");
      expect((await SseReader.of(response).rest()).map(({ event }) => event)).toEqual([
        "stream_connected",
        "job_completed",
      ]);
    }
  });

  it("come once and without a gap over 50 dropped connections, on two replicas by turns", async () => {
    const replicas = [api, await world.replica("api-2")];
    await world.write([statusRecord(job, 1)]);
    const writing = (async () => {
      for (let number = 0; number < 300; number += 1) {
        await write(crawledEvent(job, 1, number), crawledEvent(other, 1, number));
        if (number % 7 === 0) await world.write([eventRecord(crawledEvent(other, 2, number))]);
      }
    })();
    const got: [string, StreamEvent][] = [];
    let drops = 0;
    let written = false;
    for (let turn = 0; ; turn += 1) {
      const response = await connect(replicas[turn % 2] ?? api, got.at(-1)?.[0] ?? null);
      expect(response.status).toBe(200);
      const reader = SseReader.of(response);
      // A different number each time, none included.
      const dropping = drops < 50;
      const most = dropping ? (turn * 7) % 11 : Infinity;
      let taken = 0;
      let message = await reader.next();
      while (message !== null && taken < most) {
        if (message.id !== null) got.push([message.id, eventIn(message)]);
        else expect(message.event).toBe("stream_connected");
        taken += message.id === null ? 0 : 1;
        if (taken >= most) break;
        if (!dropping && !written) {
          written = true;
          await writing;
          await end();
        }
        message = await reader.next();
      }
      if (message === null) break;
      drops += 1;
      await reader.cancel();
    }
    expect(drops).toBeGreaterThanOrEqual(50);
    expect(got).toEqual(inTopic());
    expect(got.at(-1)?.[1].type).toBe("job_completed");
    expect((await connect(api, got.at(-1)?.[0] ?? "")).status).toBe(204);
  });

  it("a client that comes back gets the rest of the run it followed, though another has begun", async () => {
    await write(crawledEvent(job, 1, 1), crawledEvent(job, 1, 2));
    await end();
    const [first] = inTopic();
    await world.until(
      async () =>
        (await api.app.inject({ method: "POST", url: "/v1/jobs", payload: submission({ id: job }) }))
          .statusCode === 201,
    );
    await write(crawledEvent(job, 2, 1));
    const rest = await SseReader.of(await connect(api, first?.[0] ?? "")).rest();
    expect(rest.filter(({ id }) => id !== null).map((each) => [each.id, eventIn(each)])).toEqual(
      inTopic().slice(1),
    );
    const anew = SseReader.of(await connect(api));
    expect(eventIn(await anew.next())).toMatchObject({
      type: "stream_connected",
      run: 2,
    });
    expect((await anew.next())?.id).toBe(inTopic(2)[0]?.[0]);
    await anew.cancel();
  });

  it("say so where retention has lost what the client has not got", async () => {
    for (let number = 0; number < 5; number += 1) await write(crawledEvent(job, 1, number));
    const all = inTopic();
    const kept = all[3];
    const low = Number(kept?.[0].split(":")[1]);
    world.cluster.trim(topic, partition, low);
    await end();
    const messages = await SseReader.of(await connect(api, all[0]?.[0] ?? "")).rest();
    expect(messages.map(({ event }) => event)).toEqual([
      "stream_connected",
      "gap",
      "url_crawled",
      "url_crawled",
      "job_completed",
    ]);
    expect(eventIn(messages[1])).toMatchObject({
      reason: "retention",
      from: Number(all[0]?.[0].split(":")[1]) + 1,
      to: low - 1,
    });
    expect(messages[2]?.id).toBe(kept?.[0]);
  });

  it("end with a gap where the run has ended and its last event is gone, and the client is not asked back", async () => {
    await write(crawledEvent(job, 1, 1));
    await end();
    const all = inTopic();
    const { high } = (await world.broker.admin.watermarks(topic))[partition] ?? { high: 0 };
    world.cluster.trim(topic, partition, high);
    await world.until(async () => (await api.app.inject(`/v1/jobs/${job}`)).json().state === "ended");
    const messages = await SseReader.of(await connect(api)).rest();
    expect(messages.map(({ event }) => event)).toEqual(["stream_connected", "gap"]);
    expect((await connect(api, all[0]?.[0] ?? "")).status).toBe(204);
  });

  it("begin anew, and say so, for a position that the topic never had", async () => {
    await end();
    const messages = await SseReader.of(await connect(api, `${partition}:9999`)).rest();
    expect(messages.map(({ event }) => event)).toEqual(["stream_connected", "gap", "job_completed"]);
    expect(eventIn(messages[1])).toMatchObject({ reason: "unknown_position" });
  });

  it("refuse ids that are none and those of another partition", async () => {
    for (const id of ["nonsense", `${(partition + 1) % 3}:1`, "1:2:3"]) {
      const response = await connect(api, id);
      expect(response.status).toBe(400);
      expect(problemSchema.parse(await response.json()).errors).toMatchObject([{ field: "Last-Event-ID" }]);
    }
    expect((await connect(api, null, "/v1/jobs/none/events")).status).toBe(404);
  });

  it("keep an idle connection awake with comments for longer than 5 minutes, and go on after an outage of Kafka", async () => {
    const reader = SseReader.of(await connect(api));
    await reader.next();
    await world.pass(200_000);
    world.cluster.outage(20_000);
    await world.pass(200_000);
    await write(crawledEvent(job, 1, 1));
    await end();
    expect((await reader.rest()).map(({ event }) => event)).toEqual(["url_crawled", "job_completed"]);
    expect(reader.comments).toBe(Math.floor(400_000 / 15_000));
  });

  it("are under no timeout of the server, which would end them by real time", async () => {
    await addressOf(api);
    const sockets: Socket[] = [];
    api.app.server.on("connection", (socket) => sockets.push(socket));
    const reader = SseReader.of(await connect(api));
    await reader.next();
    // Node ends connections by these two; `requestTimeout` and `headersTimeout` only watch a request come in.
    expect(api.app.server.timeout).toBe(0);
    expect(sockets.map(({ timeout }) => timeout ?? 0)).toEqual([0]);
    expect(api.app.server.maxRequestsPerSocket).toBe(0);
    await reader.cancel();
  });

  it("say so where the run was replaced before it had ended", async () => {
    await write(crawledEvent(job, 1, 1), crawledEvent(job, 2, 2));
    const messages = await SseReader.of(await connect(api)).rest();
    expect(messages.map(({ event }) => event)).toEqual(["stream_connected", "url_crawled", "gap"]);
    expect(eventIn(messages.at(-1))).toMatchObject({ reason: "superseded" });
    await world.write([keyed(topics.jobs.name, job, { id: job, run: 2 })]);
    expect((await connect(api, messages[1]?.id ?? "")).status).toBe(204);
  });

  it("break off when the replica ends, and go on with another", async () => {
    const second = await world.replica("api-2");
    const reader = SseReader.of(await connect(second));
    await write(crawledEvent(job, 1, 1));
    await reader.next();
    const last = await reader.next();
    await second.close();
    await expect(reader.rest()).rejects.toThrow();
    await end();
    const rest = await SseReader.of(await connect(api, last?.id ?? null)).rest();
    expect(rest.map(({ event }) => event)).toEqual(["stream_connected", "job_completed"]);
  });

  it("are refused beyond the most streams there may be, until one has gone", async () => {
    const responses = [];
    for (let number = 0; number < 8; number += 1) responses.push(await connect(api));
    const refused = await connect(api);
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "5"]);
    expect((await connect(api, null, `/v1/jobs/${job}/results`)).status).toBe(429);
    await responses[0]?.body?.cancel();
    let answer: Response | null = null;
    for (let tries = 0; tries < 200 && answer?.status !== 200; tries += 1) answer = await connect(api);
    expect(answer?.status).toBe(200);
    for (const each of [...responses.slice(1), answer]) await each?.body?.cancel();
  });
});
