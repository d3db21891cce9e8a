import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { OutFolder, type Crawl } from "../src/out-folder.ts";
import { ResultsFollower } from "../src/results-follower.ts";
import { summarize } from "../src/summary.ts";
import { noFigures } from "../src/job-figures.ts";
import type { FinishReason } from "@sluice/records";
import { FakeClock } from "./fake-clock.ts";

let path = "";
let folder = new OutFolder("");
beforeEach(() => {
  path = join(mkdtempSync(join(tmpdir(), "sluice-out-")), "out");
  folder = new OutFolder(path);
});
afterEach(() => rmSync(path, { recursive: true, force: true }));

const crawl = (more: Partial<Crawl> = {}): Crawl => ({
  job: "a",
  prefix: "a.",
  run: 1,
  kind: "first",
  hasWritten: false,
  ...more,
});
const file = (name: string): string => join(path, name);
const checkpoint = (bytes: number): void =>
  writeFileSync(file(".results.jsonl.checkpoint"), JSON.stringify({ version: 1, bytes, next: { 3: 17 } }));
const readCheckpoint = (): unknown => JSON.parse(readFileSync(file(".results.jsonl.checkpoint"), "utf8"));
const finish = (reason: FinishReason, more: Partial<Crawl> = {}, waiting = 0): void => {
  const { job, run } = crawl(more);
  folder.writeSummary(
    summarize({ job, run, reason, figures: { ...noFigures, waiting }, status: null, nowMs: 0 }),
  );
};
function written(text: string): void {
  appendFileSync(folder.results, text);
  checkpoint(readFileSync(folder.results).length);
}

describe("the folder of results", () => {
  it("refuses a path that is a file, or lies in one, naming --out", () => {
    writeFileSync(path, "mine");
    for (const each of [folder, new OutFolder(join(path, "below"))]) {
      expect(() => each.check()).toThrow(expect.objectContaining({ code: "SLUICE_USAGE" }));
      expect(() => each.check()).toThrow(/^--out: /);
      expect(() => each.prepare(crawl())).toThrow(/^--out: /);
    }
    expect(readFileSync(path, "utf8")).toBe("mine");
    expect(() => new OutFolder(join(path, "..", "not", "there")).check()).not.toThrow();
  });

  it("keeps the results of the run before, and the sink's offsets, when the next run begins", () => {
    folder.prepare(crawl());
    written('{"run":1}\n');
    finish("completed");
    folder.prepare(crawl({ kind: "next", run: 2 }));
    expect(readFileSync(file("results.run-1.jsonl"), "utf8")).toBe('{"run":1}\n');
    expect(existsSync(file("summary.run-1.json"))).toBe(true);
    expect(existsSync(folder.results)).toBe(false);
    expect(existsSync(folder.summary)).toBe(false);
    expect(readCheckpoint()).toEqual({ version: 1, bytes: 0, next: { 3: 17 } });
  });

  it("comes to the same end when it is cut off after the results were moved", () => {
    folder.prepare(crawl());
    written('{"run":1}\n');
    finish("completed");
    folder.prepare(crawl({ kind: "next", run: 2 }));
    checkpoint(10);
    folder.prepare(crawl({ kind: "next", run: 2 }));
    expect(readCheckpoint()).toEqual({ version: 1, bytes: 0, next: { 3: 17 } });
    expect(readdirSync(path).filter((name) => name.startsWith("results"))).toEqual(["results.run-1.jsonl"]);
  });

  it("leaves results and offsets as they are for a run that goes on, and takes the old summary away", () => {
    folder.prepare(crawl());
    written('{"run":1}\n');
    finish("interrupted");
    folder.prepare(crawl({ kind: "resume", hasWritten: true }));
    expect(readFileSync(folder.results, "utf8")).toBe('{"run":1}\n');
    expect(folder.safeBytes()).toBe(10);
    expect(existsSync(folder.summary)).toBe(false);
  });

  it("forgets offsets of a Kafka that no longer knows the job, and keeps the results", () => {
    folder.prepare(crawl());
    written('{"run":1}\n');
    finish("completed");
    folder.prepare(crawl());
    expect(readFileSync(file("results.run-1.jsonl"), "utf8")).toBe('{"run":1}\n');
    expect(existsSync(file(".results.jsonl.checkpoint"))).toBe(false);
  });

  it("never overwrites what was moved aside before", () => {
    for (const text of ["one\n", "two\n", "three\n"]) {
      folder.prepare(crawl());
      written(text);
      finish("completed");
    }
    folder.prepare(crawl());
    expect(
      ["results.run-1.jsonl", "results.run-1.2.jsonl", "results.run-1.3.jsonl"].map((name) =>
        readFileSync(file(name), "utf8"),
      ),
    ).toEqual(["one\n", "two\n", "three\n"]);
  });

  it("takes over from a finished job, without its offsets, and refuses to from an unfinished one", () => {
    folder.prepare(crawl());
    written("x\n");
    expect(() => folder.prepare(crawl({ job: "b", prefix: "b." }))).toThrow(
      /--out: .*results of a, which is not finished/,
    );
    finish("interrupted");
    expect(() => folder.prepare(crawl({ job: "b", prefix: "b." }))).toThrow("--out");
    finish("completed");
    folder.prepare(crawl({ job: "b", prefix: "b.", kind: "next", run: 4 }));
    expect(readFileSync(file("results.run-1.jsonl"), "utf8")).toBe("x\n");
    expect(existsSync(file(".results.jsonl.checkpoint"))).toBe(false);
  });

  it("refuses to go on in another folder than where results were written", () => {
    expect(() => folder.prepare(crawl({ kind: "resume", hasWritten: true }))).toThrow(
      /--out: .*does not have the results/,
    );
    folder.prepare(crawl({ kind: "resume", hasWritten: false }));
    folder.prepare(crawl({ kind: "resume", hasWritten: true }));
  });

  it("knows a run as finished by its summary, unless that says that something is left", () => {
    const run = { job: "a", prefix: "a.", run: 1 };
    expect(folder.hasFinished(run)).toBe(false);
    folder.prepare(crawl());
    expect(folder.hasFinished(run)).toBe(false);
    finish("interrupted");
    expect(folder.hasFinished(run)).toBe(false);
    finish("cancelled", {}, 3);
    expect(folder.hasFinished(run)).toBe(false);
    finish("max_pages");
    expect(folder.hasFinished(run)).toBe(true);
    expect(folder.hasFinished({ ...run, run: 2 })).toBe(false);
    expect(folder.hasFinished({ ...run, prefix: "other." })).toBe(false);
  });
});

describe("results on stdout", () => {
  it("are what is written from now on, as far as it is safe, whole lines, each once", async () => {
    const clock = new FakeClock();
    folder.prepare(crawl());
    written("before\n");
    let passed = "";
    const follower = new ResultsFollower(
      folder,
      clock,
      (bytes) => void (passed += Buffer.from(bytes).toString("utf8")),
    );
    follower.start();
    written("one ü\n");
    appendFileSync(folder.results, "not safe y");
    await clock.advance(1000);
    expect(passed).toBe("one ü\n");
    appendFileSync(folder.results, "et\n");
    checkpoint(readFileSync(folder.results).length);
    follower.finish();
    expect(passed).toBe("one ü\nnot safe yet\n");
    await clock.advance(1000);
    expect(passed).toBe("one ü\nnot safe yet\n");
  });
});
