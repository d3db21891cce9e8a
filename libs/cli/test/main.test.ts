import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { exitCodesText } from "../src/exit-codes.ts";

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "sluice-main-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const run = (...args: readonly string[]) => {
  const { KAFKA_BROKERS: _given, KAFKA_BOOTSTRAP_SERVERS: _alias, ...env } = process.env;
  return spawnSync(process.execPath, [main, ...args], {
    cwd: folder,
    encoding: "utf8",
    env: { ...env, SLUICE_DATA_DIR: join(folder, "data") },
  });
};

describe("sluice", () => {
  it("ends with 2 and every problem on stderr, having started nothing", () => {
    const { status, stdout, stderr } = run(
      "crawl",
      "example.org",
      "ftp://a.example/",
      "--max-pages",
      "x",
      "--delay",
      "-1",
    );
    expect(status).toBe(2);
    expect(stdout).toBe("");
    expect(stderr.trimEnd().split("\n")).toEqual([
      'URL: "example.org" has no scheme; did you mean https://example.org',
      'URL: "ftp://a.example/" is no URL that can be crawled: scheme ftp, only http and https are crawled',
      '--max-pages: "x" is not a whole number of at least 1',
      '--delay: "-1" is not a whole number from 0 to 86400000',
    ]);
    expect(readdirSync(folder)).toEqual([]);
  });

  it.each([
    [["crawl", "http://a.example/", "--bogus"], "--bogus"],
    [["crawl", "http://a.example/", "--out"], "--out"],
    [["craw1"], "craw1"],
  ])("ends with 2 and names what it does not know: %j", (args, named) => {
    const { status, stderr } = run(...args);
    expect(status).toBe(2);
    expect(stderr).toContain(named);
  });

  it("ends with 2 where topics are asked for something else, or for no Kafka", () => {
    const other = run("topics", "delete");
    expect(other.status).toBe(2);
    expect(other.stderr).toContain("Allowed choices are create, check, wait");
    expect(run("topics", "check")).toMatchObject({
      status: 2,
      stdout: "",
      stderr: "KAFKA_BROKERS is not set: Invalid input: expected string, received undefined\n",
    });
  });

  it("names a setting of the environment that is wrong", () => {
    process.env["SLUICE_SESSION_TIMEOUT_MS"] = "soon";
    try {
      const { status, stderr } = run("crawl", "http://a.example/");
      expect(status).toBe(2);
      expect(stderr).toMatch(/^SLUICE_SESSION_TIMEOUT_MS is "soon"/);
    } finally {
      delete process.env["SLUICE_SESSION_TIMEOUT_MS"];
    }
  });

  it("explains options and exit codes on stdout with --help and ends with 0", () => {
    const { status, stdout } = run("crawl", "--help");
    expect(status).toBe(0);
    expect(stdout).toContain(exitCodesText());
    for (const option of [
      "--max-pages",
      "--scope",
      "--allow-private",
      "--resolve",
      "--json",
      "--partitions",
      "--contact",
    ]) {
      expect(stdout).toContain(option);
    }
  });
});
