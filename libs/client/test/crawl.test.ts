import { topics, type Job, type JobStatus } from "@sluice/records";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ClientWorld, resultOf, resultsOf, statusOf } from "./client-world.ts";

const urls = ["https://a.example/0", "https://b.example/0"];
const ended = { state: "ended", finishReason: "completed", endedAtMs: 2 } as const;

let world: ClientWorld;
beforeEach(async () => {
  world = await ClientWorld.open();
});
afterEach(() => world.close());

/** The job records written so far. */
const jobs = (): readonly Job[] => world.values<Job>(topics.jobs.name);

async function submitted(): Promise<Job> {
  await world.until(() => jobs().length > 0);
  return jobs().at(-1) ?? expect.unreachable();
}

describe("a crawl as a function", () => {
  it("asks for just its URLs, handles each result, and resolves when the last one has been handled", async () => {
    await world.writeResults(resultsOf("earlier", ["a.example"], 3));
    const seen: string[] = [];
    const told: JobStatus[] = [];
    const crawling = world.client("one").crawl(urls, {
      job: { id: "docs" },
      onResult: async ({ url }) => {
        await world.pass(500);
        seen.push(url);
      },
      onProgress: (status) => told.push(status),
    });
    expect(await submitted()).toMatchObject({ id: "docs", seeds: urls, limits: { maxDepth: 0 } });
    await world.write([statusOf("docs", { admitted: 2, inFlight: 2 })]);
    await world.writeResults([
      resultOf("docs", "https://a.example/0", "a.example"),
      resultOf("other", "https://a.example/9", "a.example"),
      resultOf("docs", "https://b.example/0", "b.example", { outcome: "dns", status: null }),
    ]);
    await world.write([statusOf("docs", { ...ended, admitted: 2, done: 1, failed: 1 })]);
    const crawl = await crawling;
    expect(seen.toSorted()).toEqual(urls);
    expect(crawl).toMatchObject({ job: "docs", status: { finishReason: "completed", failed: 1 } });
    expect(crawl.outcomes).toEqual(
      new Map([
        ["ok", 1],
        ["dns", 1],
      ]),
    );
    expect(told.map(({ state }) => state)).toEqual(["running", "ended"]);
  });

  it("cancels its job when its signal says so, and still ends when the job has", async () => {
    const ending = new AbortController();
    const crawling = world.client("one").crawl(urls, { job: { id: "docs" }, signal: ending.signal });
    await submitted();
    ending.abort();
    await world.until(() => jobs().at(-1)?.desired === "cancelled");
    await world.write([statusOf("docs", { ...ended, finishReason: "cancelled" })]);
    expect((await crawling).status.finishReason).toBe("cancelled");
  });

  it("rejects with what the handler threw", async () => {
    const crawling = world.client("one").crawl(urls, {
      job: { id: "docs" },
      onResult: () => {
        throw new Error("no room");
      },
    });
    const caught = expect(crawling).rejects.toThrow("no room");
    await submitted();
    await world.writeResults([resultOf("docs", "https://a.example/0", "a.example")]);
    await caught;
  });

  it("refuses a job that is none, naming its field, and writes nothing", async () => {
    const crawling = world.client("one").crawl([""], { job: { id: "docs" } });
    await expect(crawling).rejects.toThrow(/seeds/);
    expect(jobs()).toEqual([]);
  });
});

describe("seeds", () => {
  it("are taken from a source no faster than they are written, and counted", async () => {
    let made = 0;
    async function* source(): AsyncGenerator<string> {
      for (; made < 1200; made += 1) yield `https://a.example/${made}`;
    }
    expect(await world.client("one").sendSeeds(source(), "docs")).toBe(1200);
    expect(world.values(topics.seeds.name)).toHaveLength(1200);
  });

  it("that are none are named with their place and field; those before them are written", async () => {
    const sending = world.client("one").sendSeeds(["https://a.example/", { url: "" }]);
    await expect(sending).rejects.toMatchObject({ code: "SLUICE_RECORD_INVALID", field: "seeds.1.url" });
  });
});
