import * as fc from "fast-check";
import { serviceClock, type MemoryClient } from "@sluice/broker/memory";
import { partitionOf, topics } from "@sluice/records";
import type { Broker } from "@sluice/runtime";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { eventFeed, feedBytesMax } from "../src/event-feed.ts";
import { EventHub } from "../src/event-hub.ts";
import { parsePosition } from "../src/event-position.ts";
import { LogReader } from "../src/log-reader.ts";
import { planStream } from "../src/stream-plan.ts";
import type { StreamEnd } from "../src/stream-slots.ts";
import {
  apiWorld,
  completedEvent,
  countingBroker,
  crawledEvent,
  eventRecord,
  layout,
  neighbourOf,
  type ApiWorld,
} from "./api-world.ts";
import { SseReader, type Message } from "./sse-client.ts";

const job = "fed";
const other = neighbourOf(job);
const partition = partitionOf(job, layout.partitions);
const topic = layout.prefix + topics.events.name;
const long = "x".repeat(50_000);

let world: ApiWorld;
let hub: EventHub;
let hubClient: MemoryClient;
/** Bytes that readers were handed by the broker, the hub's left out. */
let readBytes: number;
let broker: Broker;

async function open(seed: number): Promise<void> {
  world = await apiWorld(seed);
  readBytes = 0;
  const { broker: client } = world;
  hubClient = world.cluster.connect("hub");
  const clock = serviceClock(hubClient.clock);
  hub = new EventHub({ broker: hubClient, clock, prefix: layout.prefix, onTrouble: () => undefined });
  await hub.follower.open();
  broker = countingBroker(client, (bytes) => {
    readBytes += bytes;
  });
}

beforeEach(() => open(1));
afterEach(() => world.close());

/** A feed for a client whose last event was `after`; null where it has all. */
async function feed(
  after: string | null,
  ended = false,
  onClosed: (end: StreamEnd) => void = () => undefined,
): Promise<ReadableStream<string> | null> {
  const request = {
    job,
    topic,
    partition,
    run: 1,
    ended,
    after: after === null ? null : parsePosition(after),
  };
  const plan = await planStream(broker, request);
  const clock = serviceClock(world.clock);
  return plan.kind === "finished" ? null : eventFeed({ broker, hub, clock, job, partition, plan, onClosed });
}

const ids = (): readonly string[] =>
  (world.cluster.committed(topic)[partition] ?? [])
    .filter(({ key }) => key?.toString() === job)
    .map(({ offset }) => `${partition}:${offset}`);

describe("an event feed", () => {
  it("has no gap and no repeat, wherever it is cut, whatever is written meanwhile, and with transactions that hold readers up", async () => {
    const step = fc.oneof(
      fc.record({
        kind: fc.constant("write" as const),
        mine: fc.nat({ max: 4 }),
        foreign: fc.nat({ max: 3 }),
      }),
      fc.record({ kind: fc.constant("read" as const), count: fc.nat({ max: 5 }) }),
      fc.record({ kind: fc.constant("pass" as const), ms: fc.integer({ min: 1, max: 400 }) }),
      fc.record({ kind: fc.constant("drop" as const) }),
      fc.record({ kind: fc.constant("hold" as const) }),
      fc.record({ kind: fc.constant("freeze" as const) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), fc.nat(), async (steps, seed) => {
        await world.close();
        await open(seed);
        const got: string[] = [];
        const take = (message: Message | null): void => {
          if (message !== null && message.id !== null) got.push(message.id);
        };
        let number = 0;
        let reader: SseReader | null = null;
        const connect = async (): Promise<SseReader> => {
          const stream = await feed(got.at(-1) ?? null);
          if (stream === null) throw new Error("finished before its end");
          return new SseReader(stream);
        };
        for (const each of steps) {
          if (each.kind === "write") {
            const mine = Array.from({ length: each.mine }, () => eventRecord(crawledEvent(job, 1, number++)));
            const foreign = Array.from({ length: each.foreign }, () =>
              eventRecord(crawledEvent(other, 1, number++)),
            );
            if (mine.length + foreign.length > 0) await world.write([...foreign, ...mine]);
          } else if (each.kind === "pass") await world.pass(each.ms);
          else if (each.kind === "freeze") hubClient.freeze();
          else if (each.kind === "drop") {
            await reader?.cancel();
            reader = null;
          } else if (each.kind === "hold") {
            // Left open: readers wait behind it until the broker aborts it; its record is never seen.
            const records = [eventRecord(crawledEvent(job, 1, number++))];
            await world.cluster
              .connect("hung")
              .openTransaction(`hung-${number}`, { group: "hung", records, offsets: [] });
          } else {
            reader ??= await connect();
            // With the hub behind, the replay gets ahead of it.
            await world.pass(60);
            hubClient.thaw();
            // No more than there is: the rest would be waited for.
            const left = Math.min(each.count, ids().length - got.length);
            const wanted = got.length + left;
            while (got.length < wanted) take(await reader.next());
          }
        }
        reader ??= await connect();
        await world.write([eventRecord(completedEvent(job, 1))]);
        hubClient.thaw();
        for (const message of await reader.rest()) take(message);
        expect(got).toEqual(ids());
        expect(await feed(got.at(-1) ?? null)).toBeNull();
      }),
      { numRuns: 60 },
    );
  });

  it("drops a client that lets more than its share of live events wait, once, and goes on for the others", async () => {
    let closed = 0;
    const slow = (await feed(null, false, () => (closed += 1)))?.getReader();
    const quick = new SseReader((await feed(null)) ?? new ReadableStream());
    const reading = quick.rest();
    await world.pass(500);
    for (let bytes = 0; bytes <= feedBytesMax; bytes += long.length)
      await world.write([eventRecord(crawledEvent(job, 1, bytes, long))]);
    await world.until(() => closed === 1);
    await expect(slow?.read()).rejects.toThrow("lets more than");
    await world.write([eventRecord(completedEvent(job, 1))]);
    expect((await reading).filter(({ id }) => id !== null).map(({ id }) => id)).toEqual(ids());
    expect(closed).toBe(1);
  });

  it("replays far more than may wait at the client's own pace, and drops nobody for it", async () => {
    for (let number = 0; number < 200; number += 1)
      await world.write([eventRecord(crawledEvent(job, 1, number, long))]);
    await world.write([eventRecord(completedEvent(job, 1))]);
    const stream = (await feed(null)) ?? new ReadableStream();
    await world.pass(10_000);
    // What waits, and one fetch on top of it.
    expect(readBytes).toBeLessThan(4 * 1024 * 1024);
    const messages = await new SseReader(stream).rest();
    expect(messages.filter(({ id }) => id !== null).map(({ id }) => id)).toEqual(ids());
  });

  it("sends nothing twice where its replay has got ahead of the hub", async () => {
    hubClient.freeze();
    for (let number = 0; number < 3; number += 1)
      await world.write([eventRecord(crawledEvent(job, 1, number))]);
    const reader = new SseReader((await feed(null)) ?? new ReadableStream());
    await world.pass(1000);
    hubClient.thaw();
    await world.write([eventRecord(completedEvent(job, 1))]);
    expect((await reader.rest()).filter(({ id }) => id !== null).map(({ id }) => id)).toEqual(ids());
  });

  it("reads nothing by itself once it has caught up, however many there are", async () => {
    await world.write([eventRecord(crawledEvent(job, 1, 1))]);
    const feeds = await Promise.all(
      [1, 2, 3].map(async () => new SseReader((await feed(null)) ?? new ReadableStream())),
    );
    await world.pass(1000);
    const before = readBytes;
    await world.write([eventRecord(crawledEvent(job, 1, 2)), eventRecord(completedEvent(job, 1))]);
    for (const each of feeds)
      expect((await each.rest()).filter(({ id }) => id !== null).map(({ id }) => id)).toEqual(ids());
    expect(readBytes).toBe(before);
  });

  it("gives everything back when it is cut before, during and after its replay", async () => {
    for (const passMs of [0, 5, 500]) {
      let closed = 0;
      await world.write([eventRecord(crawledEvent(job, 1, passMs))]);
      const stream = await feed(null, false, () => (closed += 1));
      if (passMs > 0) await world.pass(passMs);
      await stream?.cancel();
      expect(closed).toBe(1);
    }
    await world.pass(1000);
    const before = readBytes;
    await world.write([eventRecord(crawledEvent(job, 1, 9, long))]);
    await world.pass(1000);
    expect(readBytes).toBe(before);
  });
});

describe("a reader of parts of topics", () => {
  it("gives every record between its ends once and in order, however often it had to stop", async () => {
    for (let number = 0; number < 90; number += 1)
      await world.write([eventRecord(crawledEvent(job, 1, number, long))]);
    const committed = (world.cluster.committed(topic)[partition] ?? []).map(({ offset }) => offset);
    const [from, end] = [committed[10] ?? 0, committed[80] ?? 0];
    const reader = new LogReader(broker, [{ topic, partition, from, end }]);
    const got: number[] = [];
    for (let batch = await reader.read(); batch !== null; batch = await reader.read()) {
      got.push(...batch.records.map(({ offset }) => offset));
      await world.pass(50);
    }
    expect(got).toEqual(committed.slice(10, 80));
    await reader.close();
    expect(await reader.read()).toBeNull();
  });

  it("a read that waits ends with the reader", async () => {
    const reader = new LogReader(broker, [{ topic, partition, from: 0, end: null }]);
    const read = reader.read();
    await world.pass(300);
    await reader.close();
    expect(await read).toBeNull();
  });
});
