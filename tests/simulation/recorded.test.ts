import { readdirSync, readFileSync, statSync } from "node:fs";
import { topics } from "@sluice/records";
import { describe, expect, it } from "vitest";
import { decode, type RecordedLine, type Recording } from "./recording.ts";
import { replay } from "./replay.ts";

const folder = new URL("recorded/", import.meta.url);
const names = readdirSync(folder).filter((name) => name.endsWith(".jsonl"));
const bytesMax = 1_048_576;

const read = (name: string): Recording => decode(readFileSync(new URL(name, folder), "utf8"));

/** The same without what `isLeftOut` takes away. */
function without({ about, lines }: Recording, isLeftOut: (line: RecordedLine) => boolean): Recording {
  return { about, lines: lines.filter((line) => !isLeftOut(line)) };
}

const of = (topic: string) => (line: RecordedLine) => "topic" in line && line.topic === topic;

describe("logs that another version has left in the middle of a crawl", () => {
  it("are there, each small enough for the repository", () => {
    expect(names.length).toBeGreaterThan(0);
    for (const name of names)
      expect(statSync(new URL(name, folder)).size, name).toBeLessThanOrEqual(bytesMax);
  });

  it.each(names)("are taken over and the crawl is finished, each page once: %s", async (name) => {
    const recording = read(name);
    const { violations, requests } = await replay(recording);
    expect(violations).toEqual([]);
    // It went on, and not from the beginning.
    const pages = recording.about.hosts.reduce((sum, host) => sum + host.pages.length, 0);
    expect(requests).toBeGreaterThan(10);
    expect(requests).toBeLessThan(pages * 1.5);
  });

  it.each([
    ["the state of the frontier", topics.frontierState.name],
    ["the state of rate-limit", topics.rateLimitState.name],
    ["the permits that are out", topics.permits.name],
  ])("fail the replay without %s", async (_, topic) => {
    for (const name of names) {
      const { violations } = await replay(without(read(name), of(topic)));
      expect(violations, name).not.toEqual([]);
    }
  });

  it("fail the replay without what was committed", async () => {
    for (const name of names) {
      const { violations } = await replay(without(read(name), ({ kind }) => kind === "offset"));
      expect(violations, name).not.toEqual([]);
    }
  });
});
