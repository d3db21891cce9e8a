import * as fc from "fast-check";
import { topics } from "@sluice/records";
import type { Broker } from "@sluice/runtime";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { resultsFeed, resultsPage, type ResultsOptions } from "../src/results-feed.ts";
import {
  formatResultsPosition,
  parseResultsPosition,
  spanAfter,
  spanSince,
  type ResultsPosition,
  type ResultsSpan,
} from "../src/results-position.ts";
import {
  apiWorld,
  countingBroker,
  layout,
  neighbourOf,
  resultOf,
  resultRecord,
  texts,
  type ApiWorld,
} from "./api-world.ts";

const job = "fed";
const other = neighbourOf(job);
const long = "x".repeat(50_000);

let world: ApiWorld;
/** Bytes that readers were handed by the broker. */
let readBytes: number;
let broker: Broker;

async function open(seed: number): Promise<void> {
  world = await apiWorld(seed);
  readBytes = 0;
  const { broker: client } = world;
  broker = countingBroker(client, (bytes) => {
    readBytes += bytes;
  });
}

beforeEach(() => open(1));
afterEach(() => world.close());

describe("the results of a job", () => {
  const text = async (stream: ReadableStream<string>): Promise<string> => {
    let all = "";
    for await (const part of stream) all += part;
    return all;
  };
  const results = (run = 1, name = job) => {
    let closed = 0;
    const opened = optionsOf(run, name).then((options) => resultsFeed(options, () => (closed += 1)));
    return opened.then((stream) => ({ stream, closed: () => closed }));
  };
  const marks = () => broker.admin.watermarks(layout.prefix + topics.results.name);
  const optionsOf = async (run: number, name: string, span?: ResultsSpan): Promise<ResultsOptions> => ({
    broker,
    prefix: layout.prefix,
    job: name,
    run,
    span: span ?? spanSince(null, await marks()),
  });

  it("are the records of the topic as they are, of this job and this run alone", async () => {
    for (let number = 0; number < 40; number += 1) {
      const written = [resultOf(job, 1, number), resultOf(job, 2, number), resultOf(other, 1, number)];
      await world.write(written.map((result) => resultRecord(result, number % layout.partitions)));
    }
    await world.write([{ ...resultRecord(resultOf(job, 1, 99), 0), value: "no result" }]);
    const all = texts(world.cluster, topics.results.name).filter((line) => line.startsWith("{"));
    for (const run of [1, 2]) {
      const { stream, closed } = await results(run);
      const lines = (await text(stream)).split("\n");
      expect(lines.pop()).toBe("");
      const expected = all.filter((line) => JSON.parse(line).job === job && JSON.parse(line).run === run);
      expect(expected).toHaveLength(40);
      expect(lines.toSorted()).toEqual(expected.toSorted());
      expect(closed()).toBe(1);
    }
    expect(await text((await results(3)).stream)).toBe("");
  });

  it("end where the topic ended when they were asked for, and are one object a line whoever wrote them", async () => {
    await world.write([
      { ...resultRecord(resultOf(job, 1, 1), 0), value: JSON.stringify(resultOf(job, 1, 1), null, 2) },
    ]);
    const { stream } = await results();
    await world.write([resultRecord(resultOf(job, 1, 2), 0)]);
    expect(await text(stream)).toBe(`${JSON.stringify(resultOf(job, 1, 1))}\n`);
  });

  it("are read no faster than they are taken, and not at all once the client has gone", async () => {
    for (let number = 0; number < 200; number += 1)
      await world.write([
        resultRecord({ ...resultOf(job, 1, number), title: long }, number % layout.partitions),
      ]);
    const { stream, closed } = await results();
    expect(readBytes).toBe(0);
    const reader = stream.getReader();
    await reader.read();
    await world.pass(10_000);
    // What waits, and one fetch of each partition on top of it.
    expect(readBytes).toBeLessThan((1 + layout.partitions) * 1.1 * 1024 * 1024);
    await reader.cancel();
    const before = readBytes;
    await world.pass(10_000);
    expect([readBytes, closed()]).toEqual([before, 1]);
  });

  it("break off instead of looking complete where the topic can't be read to its end", async () => {
    await world.write([resultRecord(resultOf(job, 1, 1), 0)]);
    const real = broker;
    broker = Object.assign(Object.create(real) as Broker, {
      tail: async (options: Parameters<Broker["tail"]>[0]) => {
        options.onFailed(new Error("the broker is gone for good"), false);
        return real.tail({ ...options, onBatch: () => undefined });
      },
    });
    const { stream, closed } = await results();
    await expect(text(stream)).rejects.toThrow("gone for good");
    expect(closed()).toBe(1);
  });
});

describe("pages of results", () => {
  it("have each result once, whatever their length, and whatever is written between them", async () => {
    const topicOfResults = layout.prefix + topics.results.name;
    const write = fc.record({ mine: fc.nat({ max: 6 }), foreign: fc.nat({ max: 6 }), partition: fc.nat() });
    await fc.assert(
      fc.asyncProperty(
        fc.array(write, { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 1, max: 7 }),
        fc.nat(),
        async (writes, limit, seed) => {
          await world.close();
          await open(seed);
          let number = 0;
          const got: string[] = [];
          let position: ResultsPosition = Array.from({ length: layout.partitions }, () => 0);
          const read = async (): Promise<number> => {
            const span = spanAfter(position, await broker.admin.watermarks(topicOfResults));
            if (span === null) throw new Error("a position that was given is not known");
            const { lines, next } = await resultsPage(
              { broker, prefix: layout.prefix, job, run: 1, span },
              limit,
            );
            const ids = lines.split("\n").filter((line) => line !== "");
            expect(ids.length).toBeLessThanOrEqual(limit);
            got.push(...ids.map((line) => (JSON.parse(line) as { url_id: string }).url_id));
            position = parseResultsPosition(formatResultsPosition(next), layout.partitions) ?? [];
            return ids.length;
          };
          const mine: string[] = [];
          for (const { mine: count, foreign, partition: at } of writes) {
            for (let each = 0; each < count + foreign; each += 1) {
              const own = each < count;
              number += 1;
              if (own) mine.push(String(number));
              const result = resultOf(own ? job : other, 1, number);
              await world.write([resultRecord(result, (at + each) % layout.partitions)]);
            }
            await world.pass(200);
            await read();
          }
          while ((await read()) > 0);
          expect(got.toSorted()).toEqual(mine.toSorted());
        },
      ),
      { numRuns: 15 },
    );
  });

  it("end before they get too large, and one that is too large by itself is a page", async () => {
    const large = "x".repeat(1_500_000);
    for (let number = 0; number < 5; number += 1)
      await world.write([resultRecord({ ...resultOf(job, 1, number), title: large }, 0)]);
    await world.pass(500);
    const topicOfResults = layout.prefix + topics.results.name;
    let span = spanSince(null, await broker.admin.watermarks(topicOfResults));
    const lengths: number[] = [];
    for (;;) {
      const { lines, next } = await resultsPage({ broker, prefix: layout.prefix, job, run: 1, span }, 1000);
      if (lines === "") break;
      lengths.push(lines.split("\n").length - 1);
      span = { ...span, from: next };
    }
    expect(lengths).toEqual([2, 2, 1]);
  });
});

describe("a position in results", () => {
  const marksOf = (...pairs: readonly [number, number][]) => pairs.map(([low, high]) => ({ low, high }));

  it("goes on behind it, says what retention has removed, and is refused beyond the end", () => {
    const present = marksOf([5, 10], [0, 7]);
    expect(spanAfter([6, 7], present)).toEqual({ from: [6, 7], end: [10, 7], lost: 0 });
    expect(spanAfter([2, 0], present)).toEqual({ from: [5, 0], end: [10, 7], lost: 3 });
    expect(spanAfter([6, 8], present)).toBeNull();
  });

  it("begins where the run was submitted, and with all there is where that can't be known", () => {
    const present = marksOf([5, 10], [0, 7]);
    expect(spanSince([8, 3], present).from).toEqual([8, 3]);
    expect(spanSince([1, 3], present).from).toEqual([5, 3]);
    for (const unknown of [null, [8], [8, 3, 1], [11, 3]])
      expect(spanSince(unknown, present).from).toEqual([5, 0]);
  });

  it("is read back as it was, and nothing else is one", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(), { minLength: 1, maxLength: 20 }), (position) => {
        const text = formatResultsPosition(position);
        expect(parseResultsPosition(text, position.length)).toEqual(position);
        expect(parseResultsPosition(text, position.length + 1)).toBeNull();
      }),
    );
    for (const bad of ["", "1", "1.", ".1", "1.2.3", "-1.2", "01.2", "1.x", "1.9999999999999999"])
      expect(parseResultsPosition(bad, 2), bad).toBeNull();
  });
});
