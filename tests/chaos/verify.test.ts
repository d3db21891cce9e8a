/** The verifier of chaos runs can fail: a small run that is right, and one thing after another that is wrong with it. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";

interface Page {
  readonly url: string;
  readonly status: number;
  readonly links: readonly string[];
  readonly location: string | null;
}
interface Asked {
  readonly host: string;
  readonly path: string;
  readonly agent: string;
  readonly start: number;
  readonly end: number;
}
interface Row {
  readonly result_id: string;
  readonly job: string;
  readonly run: number;
  readonly url: string;
  readonly status: number;
  readonly outcome: string;
}
interface Run {
  readonly robots: string;
  readonly pages: readonly Page[];
  readonly asked: readonly Asked[];
  readonly rows: readonly Row[];
  readonly sunk: readonly Row[];
  readonly deaths: readonly Readonly<Record<string, unknown>>[];
}

const base = "http://a.test:80";
const page = (path: string, ...links: readonly string[]): Page => ({
  url: base + path,
  status: 200,
  links,
  location: null,
});
const ask = (path: string, start: number): Asked => ({
  host: "a.test",
  path,
  agent: "Sluice/0.1.0 (+fetcher-0@chaos.invalid)",
  start,
  end: start + 5,
});
const row = (path: string): Row => ({
  result_id: path,
  job: "chaos",
  run: 1,
  url: base + path,
  status: 200,
  outcome: "ok",
});
const death = {
  service: "fetcher",
  index: 0,
  killed: true,
  how: "after_send:3",
  at_ms: 1_450,
  until_ms: 1_450,
};

const paths = ["/", "/one", "/two"] as const;
const right: Run = {
  robots: "User-agent: *\nDisallow: /private/\n",
  pages: [page("/", "/one", "/two#part", "/private/0"), page("/one", "/"), page("/two")],
  // The process dies with its second page under way, and asks for it again.
  asked: [
    ask("/robots.txt", 1_000),
    ask("/", 1_200),
    ask("/one", 1_400),
    ask("/one", 3_000),
    ask("/two", 3_200),
  ],
  rows: paths.map(row),
  sunk: paths.map(row),
  deaths: [death],
};

function judged(run: Run): Readonly<Record<string, unknown>> {
  const folder = mkdtempSync(join(tmpdir(), "sluice-verify-"));
  const lines = (values: readonly unknown[]): string =>
    values.map((value) => `${JSON.stringify(value)}\n`).join("");
  mkdirSync(join(folder, "results"));
  writeFileSync(join(folder, "graph.jsonl"), lines([{ robots: run.robots }, ...run.pages]));
  writeFileSync(join(folder, "access.jsonl"), lines(run.asked));
  writeFileSync(join(folder, "results", "results.jsonl"), lines(run.sunk));
  writeFileSync(
    join(folder, "run.json"),
    JSON.stringify({
      seeds: [`${base}/`],
      runs: 1,
      other_jobs: {},
      delay_ms: 200,
      pause_window_ms: 1000,
      deaths: run.deaths,
      events: [],
    }),
  );
  const dump = run.rows.map((each, offset) => {
    const value = JSON.stringify(each);
    return `chaos.crawl.results 0 ${offset} 5000 1 ${Buffer.byteLength(value)} \nk${value}\n`;
  });
  writeFileSync(join(folder, "results.bin"), dump.join(""));
  const { stdout, stderr } = spawnSync("python3", [join(import.meta.dirname, "verify.py"), folder], {
    encoding: "utf8",
  });
  rmSync(folder, { recursive: true, force: true });
  if (!stdout.startsWith("{")) throw new Error(stderr);
  return JSON.parse(stdout) as Readonly<Record<string, unknown>>;
}

const counts = [
  "missing",
  "extra",
  "unlike",
  "duplicates",
  "politeness_violations",
  "refetched_without_cause",
  "forbidden",
  "unreadable",
  "sink_missing",
  "sink_extra",
  "sink_duplicates",
] as const;

function wrongIn(run: Run): Readonly<Record<string, unknown>> {
  const verdict = judged(run);
  return Object.fromEntries(
    counts.flatMap((name) => (verdict[name] === 0 ? [] : [[name, verdict[name]] as const])),
  );
}

const isMissing = spawnSync("python3", ["-V"]).error !== undefined;
if (isMissing) process.stderr.write("The verifier of chaos runs is not tested: there is no python3\n");
const other = row("/one").result_id + "'";

test.skipIf(isMissing)("a run that kept its promises is found right, with what its deaths have cost", () => {
  expect(wrongIn(right)).toEqual({});
  expect(judged(right)).toMatchObject({
    urls: 3,
    kills: 1,
    killed: { fetcher: 1 },
    failpoints: { after_send: 1 },
    refetched: 1,
    in_flight_at_kills: 2,
  });
});

const wrongs: Readonly<Record<string, readonly [Partial<Run>, Readonly<Record<string, number>>]>> = {
  "a page without a result": [{ rows: right.rows.slice(1), sunk: right.sunk.slice(1) }, { missing: 1 }],
  "a result of a page that nothing leads to": [
    { rows: [...right.rows, row("/four")], sunk: [...right.sunk, row("/four")] },
    { extra: 1 },
  ],
  "a result that tells of a failure where the page answers": [
    { rows: right.rows.map((each) => (each.url === `${base}/one` ? { ...each, status: 503 } : each)) },
    { unlike: 1 },
  ],
  "a result that comes twice": [{ rows: [...right.rows, row("/two")] }, { duplicates: 1 }],
  "a page with two results under two ids": [
    {
      rows: [...right.rows, { ...row("/one"), result_id: other }],
      sunk: [...right.sunk, { ...row("/one"), result_id: other }],
    },
    { duplicates: 1, sink_duplicates: 1 },
  ],
  "a result that the sink lacks": [{ sunk: right.sunk.slice(1) }, { sink_missing: 1 }],
  "a result that the sink has twice": [{ sunk: [...right.sunk, row("/")] }, { sink_duplicates: 1 }],
  "a result that only the sink has": [{ sunk: [...right.sunk, row("/four")] }, { sink_extra: 1 }],
  "two requests closer than the delay": [
    { asked: right.asked.map((each) => (each.path === "/two" ? ask("/two", 3_199) : each)) },
    { politeness_violations: 1 },
  ],
  "two requests at once": [
    { asked: right.asked.map((each) => (each.path === "/" ? { ...each, end: 1_401 } : each)) },
    { politeness_violations: 1 },
  ],
  "a request that robots.txt forbids": [
    { asked: [...right.asked, ask("/private/0", 4_000)] },
    { forbidden: 1 },
  ],
  "a page that is asked for again though nobody died": [{ deaths: [] }, { refetched_without_cause: 1 }],
  "a page that is asked for again after another process died": [
    { deaths: [{ ...death, index: 1 }] },
    { refetched_without_cause: 1 },
  ],
  "a page that is asked for twice more after one death": [
    { asked: [...right.asked, ask("/one", 4_000)] },
    { refetched_without_cause: 1 },
  ],
};

test.skipIf(isMissing).each(Object.entries(wrongs))("%s is found", (_, [change, expected]) => {
  expect(wrongIn({ ...right, ...change })).toEqual(expected);
});
