/** Each scenario of `npm run chaos` once, small, several of them in one crawl; the full runs are asked for by hand. */
import { execFile } from "node:child_process";
import { describe, expect, test } from "vitest";

interface Line {
  readonly urls: number;
  readonly runs: number;
  readonly kills: number;
  readonly poison: number;
  readonly behind_max_ms: number;
  readonly connections_cut: number;
  readonly scale_events: number;
  readonly away_ms: number;
  /** Broken promises. Limits on time are told apart from them, and asserted nowhere: machines are slow and busy. */
  readonly wrong: readonly string[];
}

/** A broker of a minute: what Java's second compiler takes there is a third of its CPU, and it gains nothing by it. */
const env = { ...process.env, JAVA_TOOL_OPTIONS: "-XX:TieredStopAtLevel=1" };

/** The command's line of JSON, and what it told on the way. */
async function chaos(...flags: readonly string[]): Promise<{ line: Line; told: string }> {
  return await new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      ["tests/chaos/cli.ts", ...flags],
      { maxBuffer: 1 << 26, env },
      (_, stdout, stderr) => {
        const last = stdout.trimEnd().split("\n").at(-1) ?? "";
        if (!last.startsWith("{")) return reject(new Error(`no line of JSON; ${stderr}`));
        return resolve({ line: JSON.parse(last) as Line, told: stderr });
      },
    );
  });
}

const size = ["--urls", "500", "--hosts", "25", "--delay-ms", "100"];

describe("a crawl under real faults, judged by a verifier that reads no counter of ours", () => {
  test("loses and repeats nothing when services and the broker are killed", async () => {
    const { line, told } = await chaos(...size, "--kills", "10");
    expect(line.wrong, told).toEqual([]);
    expect(line.kills).toBeGreaterThanOrEqual(10);
    expect(line.urls).toBeGreaterThan(450);
  });

  test("keeps its promises when services freeze, come and go, and the broker is away or hard to reach", async () => {
    // Slowly: there is something left to do when the broker goes away, after the others have come and gone.
    const crawl = ["--urls", "500", "--hosts", "25", "--delay-ms", "1000"];
    const faults = ["--freezes", "1", "--scales", "3", "--away-s", "8", "--network", "4"];
    const { line, told } = await chaos(...crawl, ...faults, "--seed", "3");
    expect(line.wrong, told).toEqual([]);
    expect(line.scale_events).toBe(3);
    expect(line.away_ms).toBe(8000);
    expect(line.connections_cut).toBeGreaterThan(0);
  });

  test("stops by itself while the sink stands still or its disk is full, and delivers everything then", async () => {
    const crawl = ["--urls", "1300", "--hosts", "25", "--delay-ms", "0"];
    const { line, told } = await chaos(...crawl, "--stall-s", "10", "--disk-s", "10");
    expect(line.wrong, told).toEqual([]);
  });

  test("puts every record that can't be read with the dead letters, and does what lies behind", async () => {
    // Slowly: the last burst comes with more than half of the crawl done, and one of its seeds is for the same job.
    const crawl = ["--urls", "500", "--hosts", "25", "--delay-ms", "600"];
    const { line, told } = await chaos(...crawl, "--poison", "300", "--seed", "4");
    expect(line.wrong, told).toEqual([]);
    expect(line.poison).toBeGreaterThanOrEqual(300);
    expect(line.behind_max_ms).toBeGreaterThan(0);
  });

  test("crawls one job run after run", async () => {
    const crawl = ["--urls", "60", "--hosts", "10", "--delay-ms", "50"];
    const { line, told } = await chaos(...crawl, "--soak-s", "15");
    expect(line.wrong, told).toEqual([]);
    expect(line.runs).toBeGreaterThanOrEqual(1);
  });
});
