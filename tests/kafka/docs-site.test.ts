import { execFile, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { commandLine, CrawlCommand, readResults, readSummary } from "../fleet/crawl-command.ts";
import { findNginx, Nginx } from "../fleet/nginx.ts";
import { Observer } from "../fleet/observer.ts";
import { testBrokers } from "./brokers.ts";

const oracleScript = fileURLToPath(new URL("../oracle/breadth_first.py", import.meta.url));
const docFolder = "/usr/share/doc";
const instances = ["frontier-1", "frontier-2", "fetcher-1", "fetcher-2", "rate-limit-1", "result-sink-1"];

/** The Python documentation of Debian's python3-doc, whatever its version; null where it is not installed. */
function findDocs(): string | null {
  if (!existsSync(docFolder)) return null;
  const folders = readdirSync(docFolder)
    .filter((name) => /^python3\.\d+$/.test(name))
    .map((name) => join(docFolder, name, "html"));
  return folders.find((folder) => existsSync(join(folder, "library", "index.html"))) ?? null;
}

const docs = findDocs();
const nginx = findNginx();
const missing = [
  ...(docs === null ? ["the documentation of the Debian package python3-doc"] : []),
  ...(nginx === null ? ["nginx"] : []),
  ...(spawnSync("python3", ["-V"]).error === undefined ? [] : ["python3"]),
];
if (missing.length > 0)
  process.stderr.write(`docs-site.test.ts is skipped: ${missing.join(" and ")} not found\n`);

describe.skipIf(missing.length > 0)(
  "a crawl of a real documentation site served by nginx",
  { timeout: 180_000 },
  () => {
    let site: Nginx;
    /** Depth of each URL that the independent breadth-first walk finds. */
    let oracle: Promise<ReadonlyMap<string, number>>;
    const dir = mkdtempSync(join(tmpdir(), "sluice-docs-"));
    const cleanups: (() => Promise<void>)[] = [];

    beforeAll(async () => {
      site = await Nginx.serve(nginx ?? "", docs ?? "", "127.31.0.1");
      // It takes as long as a crawl: both run side by side.
      oracle = walk(`${site.origin}/`);
      oracle.catch(() => undefined);
    });

    afterEach(async () => {
      for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
    });

    afterAll(async () => {
      await oracle.catch(() => undefined);
      await site.close();
      rmSync(dir, { recursive: true, force: true });
    });

    function crawl(name: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Crawl {
      const job = `${name}-${process.pid}`;
      const out = join(dir, job);
      const command = new CrawlCommand(
        [
          `${site.origin}/`,
          ...commandLine(
            `--job ${job} --out ${out} --brokers ${testBrokers().join(",")} --user-agent ${job}`,
          ),
          ...commandLine("--allow-private 127.0.0.0/8 --delay 0 --frontiers 2 --fetchers 2"),
          ...args,
        ],
        { SLUICE_DATA_DIR: join(dir, `${job}-data`), ...env },
      );
      cleanups.push(() => command.dispose());
      return {
        command,
        job,
        out,
        askedFor: () => site.requestsBy(job).filter((path) => path !== "/robots.txt"),
      };
    }

    async function oracleUrls(depthMax = Infinity): Promise<readonly string[]> {
      return [...(await oracle)].flatMap(([url, depth]) => (depth <= depthMax ? [url] : [])).sort();
    }

    const urlsIn = (out: string): readonly string[] =>
      readResults(out)
        .map(({ url }) => url)
        .sort();

    it("finds exactly what the oracle finds and asks for each page once", async () => {
      const { command, out, askedFor } = crawl("whole", []);
      expect(await command.ended, command.stderr).toBe(0);
      const expected = await oracleUrls();
      expect(expected.length).toBeGreaterThan(400);
      expect(urlsIn(out)).toEqual(expected);
      const asked = askedFor().map((path) => site.origin + path);
      expect(asked.sort()).toEqual(expected);
      expect(readSummary(out)).toMatchObject({
        finish_reason: "completed",
        admitted: expected.length,
        waiting: 0,
        in_flight: 0,
      });
    });

    it("keeps to --max-depth as the oracle does", async () => {
      const { command, out } = crawl("shallow", ["--max-depth", "2"]);
      expect(await command.ended, command.stderr).toBe(0);
      const expected = await oracleUrls(2);
      expect(expected.length).toBeLessThan((await oracle).size);
      expect(urlsIn(out)).toEqual(expected);
    });

    it("loses and repeats nothing when each service is killed once in mid-crawl, half of them at failpoints", async () => {
      const expected = await oracleUrls();
      const observer = await Observer.open(testBrokers(), `kills-${process.pid}.`, 12);
      cleanups.push(() => observer.close());
      // The frontier and the fetcher that have the host's partition die at theirs; the idle ones never get there.
      const failpoints = [
        "frontier-1=after_send:30",
        "frontier-2=after_send:30",
        "fetcher-1=after_commit_sent:30",
        "fetcher-2=after_commit_sent:30",
        "rate-limit-1=after_send_offsets:30",
      ];
      const { command, job, out, askedFor } = crawl("kills", [], {
        SLUICE_FAILPOINTS: failpoints.join(","),
        SLUICE_SESSION_TIMEOUT_MS: "3000",
      });
      const atFailpoints = ["rate-limit-1"];
      for (const service of ["frontier", "fetcher"]) {
        const said = [1, 2].map((index) => command.says(`${service}-${index} was ended by SIGKILL`));
        await Promise.any(said);
        atFailpoints.push(`${service}-${command.killings(`${service}-1`) > 0 ? 1 : 2}`);
      }
      await command.says("rate-limit-1 was ended by SIGKILL");
      const others = instances.filter((instance) => !atFailpoints.includes(instance));
      const before = observer.results.length;
      expect(before).toBeLessThan(expected.length);
      for (const [index, instance] of others.entries()) {
        const share = before + ((expected.length - before) * (index + 1)) / (others.length + 2);
        await observer.until(`${Math.round(share)} results`, () => observer.results.length >= share, 60_000);
        expect(command.killService(instance), `${instance} runs`).toBe(true);
        await command.says(`${instance} was ended by SIGKILL`);
      }
      expect(await command.ended, command.stderr).toBe(0);
      // The one that takes the host's partition over may meet its own failpoint, too.
      for (const instance of instances) expect(command.killings(instance), instance).toBeGreaterThan(0);
      expect(urlsIn(out)).toEqual(expected);
      expect([...new Set(askedFor())].map((path) => site.origin + path).sort()).toEqual(expected);
      // Asked for again: only what was under way when a fetcher died, at most the host's window.
      expect(askedFor().length - expected.length).toBeLessThan(100);
      const results = observer.results.filter((result) => result.job === job);
      expect(results.map(({ url }) => url).sort()).toEqual(expected);
      expect(new Set(results.map((result) => result.result_id)).size).toBe(results.length);
    });
  },
);

interface Crawl {
  readonly command: CrawlCommand;
  readonly job: string;
  readonly out: string;
  /** Pages that the site was asked for, in order. */
  readonly askedFor: () => readonly string[];
}

async function walk(start: string): Promise<ReadonlyMap<string, number>> {
  const { stdout } = await promisify(execFile)("python3", [oracleScript, start], {
    maxBuffer: 64 * 1024 * 1024,
  });
  const lines = stdout.trimEnd().split("\n");
  return new Map(
    lines.map((line) => {
      const [url = "", depth] = line.split("\t");
      return [url, Number(depth)];
    }),
  );
}
