import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { pausesOf, wrongLetters, wrongOf } from "./judgement.ts";
import { readRuns, recordRun, withRun, type RecordedRun } from "./runs-file.ts";
import type { Verdict } from "./world.ts";

const clean: Verdict = {
  urls: 100,
  kills: 3,
  killed: { fetcher: 2, kafka: 1 },
  failpoints: { after_send: 1 },
  missing: 0,
  extra: 0,
  unlike: 0,
  duplicates: 0,
  politeness_violations: 0,
  refetched: 4,
  in_flight_at_kills: 9,
  refetched_without_cause: 0,
  forbidden: 0,
  unreadable: 0,
  sink_missing: 0,
  sink_extra: 0,
  sink_duplicates: 0,
  requests: 104,
  pauses_ms: [],
};
const expected = { kills: 3, transactions: true };

test("a run without a fault is not wrong, and one of each kind is", () => {
  expect(wrongOf(clean, expected)).toEqual([]);
  const counts = Object.keys(clean).filter((name) => clean[name as keyof Verdict] === 0);
  for (const name of counts) expect(wrongOf({ ...clean, [name]: 1 }, expected), name).toEqual([`${name}: 1`]);
  expect(counts).toHaveLength(11);
});

test("more work repeated than was under way, and too few kills, are wrong", () => {
  expect(wrongOf({ ...clean, refetched: 10 }, expected)).toEqual(["10 repeated, and only 9 were under way"]);
  expect(wrongOf(clean, { ...expected, kills: 4 })).toEqual(["only 3 of 4 kills fell"]);
});

test("of many kills each service and the broker has some, and half of all are at failpoints", () => {
  const each = { frontier: 7, "rate-limit": 6, fetcher: 8, "result-sink": 6, kafka: 3 };
  const many = { ...clean, kills: 30, killed: each, failpoints: { after_send: 8, after_commit_sent: 7 } };
  const wanted = { ...expected, kills: 30 };
  expect(wrongOf(many, wanted)).toEqual([]);
  expect(wrongOf({ ...many, killed: { ...each, kafka: 0 } }, wanted)).toEqual(["kafka was never killed"]);
  expect(wrongOf({ ...many, failpoints: { after_send: 14 } }, wanted)).toEqual([
    "only 14 of 30 kills at failpoints",
  ]);
});

test("without transactions a result may come twice, and nothing else may be", () => {
  const loose = { ...expected, transactions: false };
  expect(wrongOf({ ...clean, duplicates: 2, refetched: 30 }, loose)).toEqual([]);
  expect(wrongOf({ ...clean, missing: 1, sink_duplicates: 2 }, loose)).toHaveLength(2);
});

test("pauses are held to their limits, graceful events at 95 in 100, kills each", () => {
  const scales = Array.from({ length: 40 }, (_, index) => ({
    what: "scale fetcher",
    ms: index < 2 ? 9000 : 800,
  }));
  const { figures, slow } = pausesOf({ pauses_ms: scales }, 3000);
  expect(figures).toEqual({ scale_pauses: 40, scale_pause_p95_ms: 800, scale_pause_limit_ms: 5000 });
  expect(slow).toEqual([]);
  const killed = pausesOf({ pauses_ms: [...scales, { what: "kill frontier", ms: 7001 }] }, 3000);
  expect(killed.figures).toMatchObject({ kill_pause_max_ms: 7001, kill_pause_limit_ms: 7000 });
  expect(killed.slow).toEqual(["a kill held up the crawl for 7001 ms"]);
  const three = scales.map((each, index) => (index === 2 ? { ...each, ms: 5001 } : each));
  expect(pausesOf({ pauses_ms: three }, 3000).slow).toEqual(["scale events held up the crawl for 5001 ms"]);
});

test("each bad record has to be a dead letter, and no good one may be", () => {
  expect(wrongLetters({}, 0)).toEqual([]);
  expect(wrongLetters({ poison: 300, poison_wrong: 0, good_in_dead_letters: 0 }, 300)).toEqual([]);
  expect(wrongLetters({ poison: 299, poison_wrong: 1, good_in_dead_letters: 2 }, 300)).toHaveLength(3);
});

test("a recorded run takes the place of the last one of its scenario", () => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-runs-"));
  const file = join(folder, "runs.json");
  const run = (scenario: string, urls: number): RecordedRun => ({
    scenario,
    command: "npm run -s chaos",
    commit: "abc",
    date: "2026-11-22",
    line: { urls },
  });
  try {
    expect(readRuns(file)).toEqual([]);
    for (const each of [run("scales", 1), run("kills", 2), run("scales", 3)]) recordRun(file, each);
    expect(readRuns(file)).toEqual([run("kills", 2), run("scales", 3)]);
    expect(withRun([], run("a", 1))).toEqual([run("a", 1)]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
