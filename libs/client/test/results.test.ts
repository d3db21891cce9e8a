import type { Result } from "@sluice/records";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { filter, foldByKey, map } from "../src/index.ts";
import { ClientWorld, resultsOf } from "./client-world.ts";

const hosts = ["a.example", "b.example", "c.example", "d.example"];

let world: ClientWorld;
beforeEach(async () => {
  world = await ClientWorld.open();
});
afterEach(() => world.close());

const urlsOf = (results: Iterable<Result>): readonly string[] => [...results].map(({ url }) => url);
const sorted = (results: Iterable<Result>): readonly string[] => urlsOf(results).toSorted();

/** Reads until so many results were dealt with, by a client of its own. */
async function read(group: string, count: number, name = group): Promise<readonly Result[]> {
  const ending = new AbortController();
  const seen: Result[] = [];
  const done = world
    .client(name)
    .results({ group, instance: name, signal: ending.signal })
    .forEach((result) => void seen.push(result));
  await world.until(() => seen.length >= count);
  ending.abort();
  await done;
  return seen;
}

describe("results for a reader", () => {
  it("come once each, those of a host in order, and a group goes on behind them after a restart", async () => {
    const first = resultsOf("docs", hosts, 20);
    await world.writeResults(first);
    const seen = await read("reports", first.length, "one");
    expect(sorted(seen)).toEqual(sorted(first));
    for (const host of hosts)
      expect(urlsOf(seen.filter((each) => each.host === host))).toEqual(
        urlsOf(first.filter((each) => each.host === host)),
      );
    const later = resultsOf("more", hosts, 5);
    await world.writeResults(later);
    expect(sorted(await read("reports", later.length, "two"))).toEqual(sorted(later));
  });

  it("come to each group whole, and the members of one share them", async () => {
    const results = resultsOf("docs", hosts, 30);
    await world.writeResults(results);
    expect(sorted(await read("search", results.length))).toEqual(sorted(results));
    const ending = new AbortController();
    const shares = ["one", "two"].map((name) => {
      const seen: Result[] = [];
      const reading = world.client(name).results({ group: "archive", instance: name, signal: ending.signal });
      return {
        seen,
        done: reading.forEach(async (result) => void (await world.pass(50), seen.push(result))),
      };
    });
    await world.until(() => shares.reduce((sum, { seen }) => sum + seen.length, 0) >= results.length);
    ending.abort();
    await Promise.all(shares.map(({ done }) => done));
    for (const { seen } of shares) expect(seen.length).toBeGreaterThan(0);
    expect(sorted(new Set(shares.flatMap(({ seen }) => seen)))).toEqual(sorted(results));
  });

  it("can be asked for of one job alone", async () => {
    await world.writeResults([...resultsOf("other", hosts, 5), ...resultsOf("docs", ["a.example"], 3)]);
    const seen: Result[] = [];
    for await (const result of world.client("one").results({ group: "reports", job: "docs" })) {
      seen.push(result);
      if (seen.length === 3) break;
    }
    expect(seen.map(({ job }) => job)).toEqual(["docs", "docs", "docs"]);
  });

  it("are held back while a handler is slow: no more of a partition than asked for", async () => {
    // Five times what one fetch brings.
    const title = "x".repeat(10_000);
    const results = resultsOf("docs", ["a.example"], 500).map((result) => ({ ...result, title }));
    await world.writeResults(results);
    const ending = new AbortController();
    const reading = world
      .client("one")
      .results({ group: "slow", demandMax: 20, demandMin: 10, signal: ending.signal });
    let [most, handled] = [0, 0];
    const done = reading.forEach(async () => {
      await world.pass(10);
      most = Math.max(most, reading.held);
      handled += 1;
    });
    await world.until(() => handled >= results.length);
    ending.abort();
    await done;
    expect(most).toBeGreaterThan(10);
    // Beyond the limit: what one fetch brings, and one that was under way. 96 of these fit into one.
    expect(most).toBeLessThan(220);
    expect(reading.held).toBe(0);
  });

  it("are dealt with when the next one is asked for: the one at which an iteration ends comes again", async () => {
    const results = resultsOf("docs", ["a.example"], 5);
    await world.writeResults(results);
    const urls = urlsOf(results);
    const seen: string[] = [];
    for await (const { url } of world.client("one").results({ group: "reports" })) {
      seen.push(url);
      if (seen.length === 3) break;
    }
    expect(seen).toEqual(urls.slice(0, 3));
    expect(urlsOf(await read("reports", 3, "two"))).toEqual(urls.slice(2));
  });

  it("end with what a handler threw, after its tries, and nothing behind it is taken for dealt with", async () => {
    const results = resultsOf("docs", ["a.example"], 6);
    await world.writeResults(results);
    const tries: { url: string; atMs: number }[] = [];
    const bad = results[2]?.url ?? "";
    const reading = world.client("one").results({ group: "reports" });
    const done = reading.forEach(
      ({ url }) => {
        tries.push({ url, atMs: world.clock.nowMs() });
        if (url === bad) throw new Error("the database is full");
      },
      { attemptsMax: 3, retryDelayMs: 100 },
    );
    await expect(done).rejects.toThrow("the database is full");
    const times = tries.filter(({ url }) => url === bad).map(({ atMs }) => atMs);
    expect(times.slice(1).map((atMs, index) => atMs - (times[index] ?? 0))).toEqual([100, 200]);
    expect(urlsOf(await read("reports", 4, "two"))).toEqual(urlsOf(results.slice(2)));
  });

  it("that a handler manages at its second try are dealt with, and the others do not wait for it", async () => {
    const results = resultsOf("docs", ["a.example"], 8);
    await world.writeResults(results);
    const ending = new AbortController();
    const handled: string[] = [];
    let failures = 0;
    const done = world
      .client("one")
      .results({ group: "reports", signal: ending.signal })
      .forEach(
        ({ url }) => {
          if (url === results[0]?.url && failures++ === 0) throw new Error("once");
          handled.push(url);
        },
        { concurrency: 4, attemptsMax: 2, retryDelayMs: 5000 },
      );
    await world.until(() => handled.length === 8);
    ending.abort();
    await done;
    expect(handled.at(-1)).toBe(results[0]?.url);
    await world.writeResults(resultsOf("more", ["a.example"], 1));
    expect((await read("reports", 1, "two")).map(({ job }) => job)).toEqual(["more"]);
  });
});

describe("batches of results", () => {
  it("close by their number, 100 here, and by time where fewer come", async () => {
    const results = resultsOf("docs", ["a.example"], 250);
    await world.writeResults(results);
    const sizes: number[] = [];
    const ending = new AbortController();
    const reading = world.client("one").results({ group: "writer", demandMax: 300, signal: ending.signal });
    for await (const batch of reading.batches({ sizeMax: 100, lingerMs: 500 })) {
      sizes.push(batch.length);
      if (sizes.reduce((sum, size) => sum + size, 0) === results.length) ending.abort();
    }
    expect(sizes).toEqual([100, 100, 50]);
  });

  it("come again whole where the writer did not get to the next one", async () => {
    const results = resultsOf("docs", ["a.example"], 30);
    await world.writeResults(results);
    const write = async (): Promise<void> => {
      let batches = 0;
      for await (const _ of world.client("one").results({ group: "writer" }).batches({ sizeMax: 10 }))
        if (++batches === 2) throw new Error("crashed while it wrote the second");
    };
    await expect(write()).rejects.toThrow("crashed");
    expect(urlsOf(await read("writer", 20, "two"))).toEqual(urlsOf(results.slice(10)));
  });
});

describe("a flow over results", () => {
  it("is changed and filtered without taking more than comes out", async () => {
    const results = resultsOf("docs", ["a.example", "b.example"], 10);
    await world.writeResults(results);
    const source = world.client("one").results({ group: "reports" });
    const wanted = filter(source, ({ host }) => host === "a.example");
    const paths: string[] = [];
    for await (const path of map(wanted, ({ url }) => new URL(url).pathname)) {
      paths.push(path);
      if (paths.length === 4) break;
    }
    expect(paths).toEqual(["/0", "/1", "/2", "/3"]);
    const again = await read("reports", 6, "two");
    expect(urlsOf(again.filter(({ host }) => host === "a.example"))[0]).toBe("https://a.example/3");
  });

  it("is folded by a key: pages by host", async () => {
    await world.writeResults(resultsOf("docs", hosts, 7));
    const pages = await foldByKey(
      await read("reports", 28),
      ({ host }) => host,
      0,
      (count) => count + 1,
    );
    expect(pages).toEqual(new Map(hosts.map((host) => [host, 7])));
  });
});
