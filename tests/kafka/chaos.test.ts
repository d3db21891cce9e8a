/** Two scenarios of `npm run chaos`, small; the others and the full runs are asked for by hand. */
import { execFile } from "node:child_process";
import { describe, expect, test } from "vitest";

interface Line {
  readonly urls: number;
  readonly kills: number;
  readonly duplicates: number;
  readonly wrong: readonly string[];
}

/** The command's exit code, its line of JSON, and what it told on the way. */
async function chaos(...flags: readonly string[]): Promise<{ code: unknown; line: Line; told: string }> {
  return await new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      ["tests/chaos/cli.ts", ...flags],
      { maxBuffer: 1 << 26 },
      (error, stdout, stderr) => {
        const last = stdout.trimEnd().split("\n").at(-1) ?? "";
        if (!last.startsWith("{")) return reject(new Error(`no line of JSON; ${stderr}`));
        return resolve({ code: error?.code ?? 0, line: JSON.parse(last) as Line, told: stderr });
      },
    );
  });
}

const size = ["--urls", "700", "--hosts", "30", "--delay-ms", "100"];

describe("a crawl under real faults, judged by a verifier that reads no counter of ours", () => {
  test("loses and repeats nothing when services and the broker are killed", async () => {
    const { code, line, told } = await chaos(...size, "--kills", "10");
    expect(line.wrong, told).toEqual([]);
    expect(code).toBe(0);
    expect(line.kills).toBeGreaterThanOrEqual(10);
    expect(line.urls).toBeGreaterThan(600);
  });

  test("keeps its promises when services are added and taken away", async () => {
    const { code, line, told } = await chaos(...size, "--scales", "3", "--seed", "3");
    expect(line.wrong, told).toEqual([]);
    expect(code).toBe(0);
  });
});
