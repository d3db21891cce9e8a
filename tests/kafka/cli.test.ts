import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Result } from "@sluice/records";
import { commandLine, CrawlCommand, readResults, readSummary, unaccounted } from "../fleet/crawl-command.ts";
import { Graph, loopback } from "../fleet/graph.ts";
import { htmlPage, Origin, type AccessLine, type Page, type Site } from "../fleet/origin.ts";
import { testBrokers } from "./brokers.ts";

const cleanups: (() => Promise<void> | void)[] = [];
const noRobots: Page = { status: 404 };
let jobs = 0;

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

function folder(): string {
  const dir = mkdtempSync(join(tmpdir(), "sluice-cli-"));
  cleanups.push(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

async function origin(addresses: readonly string[], site: Site): Promise<Origin> {
  const started = await Origin.start(addresses, site);
  cleanups.push(() => started.close());
  return started;
}

/** A name that no other test has used on this Kafka. */
function jobName(): string {
  jobs += 1;
  return `cli-${process.pid}-${jobs}`;
}

/** The command with the test's Kafka, its own data folder in `dir`, and leave to ask loopback addresses. */
function crawl(
  dir: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): CrawlCommand {
  const command = new CrawlCommand([...args, "--brokers", testBrokers().join(",")], {
    SLUICE_DATA_DIR: join(dir, "data"),
    ...env,
  });
  cleanups.push(() => command.dispose());
  return command;
}

const loopbackToo = commandLine("--allow-private 127.0.0.0/8");
const urlsOf = (results: readonly Result[]): readonly string[] => results.map(({ url }) => url).sort();
const pathsOf = (log: readonly AccessLine[]): readonly string[] =>
  log.map(({ host, path }) => host + path).sort();

/** A generated web on loopback addresses, with what a crawl of it has to find. */
async function graphSite(
  block: number,
  hosts: number,
  pagesPerHost: number,
  onPage: (count: number) => Partial<Page> = () => ({}),
): Promise<{ readonly origin: Origin; readonly seed: string; readonly expected: readonly string[] }> {
  const addresses = loopback(block, hosts);
  let port = 0;
  let pages = 0;
  const graph = new Graph({ hosts: addresses, pagesPerHost, port: () => port, seed: block, crossLinks: 2 });
  const started = await origin(addresses, (host, path) => {
    if (path !== "/robots.txt") pages += 1;
    return { ...graph.site(host, path), ...(path === "/robots.txt" ? {} : onPage(pages)) };
  });
  port = started.port;
  const seed = graph.url(0, "/");
  return { origin: started, seed, expected: [...graph.reachable([seed])].sort() };
}

describe("sluice crawl", { timeout: 180_000 }, () => {
  /** Waits for brokers that do not answer while the other tests run. */
  let silent: CrawlCommand;

  beforeAll(() => {
    const dir = mkdtempSync(join(tmpdir(), "sluice-cli-"));
    silent = new CrawlCommand(commandLine(`http://127.0.0.1/ --brokers 127.0.0.1:1 --out ${dir}/out`), {
      SLUICE_DATA_DIR: join(dir, "data"),
    });
    return async () => {
      await silent.dispose();
      rmSync(dir, { recursive: true, force: true });
    };
  });

  it("asks strictly one after the other with --max-concurrency 1, over all hosts", async () => {
    const dir = folder();
    const site = await graphSite(41, 4, 6, () => ({ afterMs: 20 }));
    const command = crawl(dir, [
      site.seed,
      ...commandLine(
        `--job ${jobName()} --out ${dir}/out --scope any --delay 0 --max-concurrency 1 --fetchers 2`,
      ),
      ...loopbackToo,
    ]);
    expect(await command.ended, command.stderr).toBe(0);
    expect(urlsOf(readResults(`${dir}/out`))).toEqual(site.expected);
    const log = [...site.origin.log].sort((a, b) => a.startMs - b.startMs);
    expect(new Set(log.map(({ host }) => host)).size).toBe(4);
    const overlaps = log.filter((line, index) => line.startMs < (log[index - 1]?.endMs ?? 0));
    expect(overlaps).toEqual([]);
  });

  it("drains at the first Ctrl-C and goes on with the same command, asking for nothing again; other options are refused meanwhile", async () => {
    const dir = folder();
    const started: { command?: CrawlCommand } = {};
    const site = await graphSite(42, 4, 10, (count) => {
      if (count === 12) started.command?.signal("SIGINT");
      return { afterMs: 60 };
    });
    const args = [site.seed, ...commandLine(`--out ${dir}/out --scope any --delay 50`), ...loopbackToo];
    const first = crawl(dir, args);
    started.command = first;
    expect(await first.ended, first.stderr).toBe(11);
    const before = readResults(`${dir}/out`);
    expect(before.length).toBeLessThan(site.expected.length);
    const summary = readSummary(`${dir}/out`);
    expect(summary).toMatchObject({ finish_reason: "interrupted", run: 1 });
    expect(Number(summary["waiting"]) + Number(summary["in_flight"])).toBeGreaterThan(0);
    expect(unaccounted(summary)).toBe(0);
    // What was asked for before the end is in the file: nothing is left for the next time.
    expect(before.length).toBe(site.origin.pages().length);

    const other = crawl(dir, [...args, "--max-pages", "5"]);
    expect(await other.ended).toBe(2);
    expect(other.stderr).toMatch(/--max-pages: was no limit, now 5/);
    expect(readResults(`${dir}/out`)).toEqual(before);

    const second = crawl(dir, args);
    expect(await second.ended, second.stderr).toBe(0);
    expect(second.stderr).toContain("run 1 goes on");
    const after = readResults(`${dir}/out`);
    expect(after.slice(0, before.length)).toEqual(before);
    expect(urlsOf(after)).toEqual(site.expected);
    const asked = pathsOf(site.origin.pages());
    expect(asked.filter((each, index) => each === asked[index - 1])).toEqual([]);
    expect(readSummary(`${dir}/out`)).toMatchObject({
      finish_reason: "completed",
      run: 1,
      waiting: 0,
      in_flight: 0,
    });
  });

  it("stops at once at the second Ctrl-C, and the same command still comes to the whole set", async () => {
    const dir = folder();
    let slow = true;
    const started: { command?: CrawlCommand } = {};
    const site = await graphSite(43, 2, 6, (count) => {
      if (count === 1) started.command?.signal("SIGINT");
      return slow ? { afterMs: 20_000 } : {};
    });
    const args = [
      site.seed,
      ...commandLine(`--job ${jobName()} --out ${dir}/out --scope any --delay 0`),
      ...loopbackToo,
    ];
    const env = { SLUICE_SESSION_TIMEOUT_MS: "3000" };
    const first = crawl(dir, args, env);
    started.command = first;
    await first.says("once more stops at once");
    first.signal("SIGINT");
    expect(await first.ended, first.stderr).toBe(13);
    expect(readSummary(`${dir}/out`)).toMatchObject({ finish_reason: "interrupted" });
    slow = false;
    const second = crawl(dir, args, env);
    expect(await second.ended, second.stderr).toBe(0);
    const results = readResults(`${dir}/out`);
    expect(urlsOf(results)).toEqual(site.expected);
  });

  it("crawls twice side by side on one Kafka, each crawl complete and alone", async () => {
    const dir = folder();
    const site = await graphSite(44, 4, 8);
    const names = [jobName(), jobName()];
    const commands = names.map((name) =>
      crawl(dir, [
        site.seed,
        ...commandLine(`--job ${name} --out ${dir}/${name} --scope any --delay 10`),
        ...loopbackToo,
      ]),
    );
    for (const command of commands) expect(await command.ended, command.stderr).toBe(0);
    for (const name of names) {
      const results = readResults(`${dir}/${name}`);
      expect(urlsOf(results)).toEqual(site.expected);
      expect(new Set(results.map(({ job }) => job))).toEqual(new Set([name]));
      expect(readSummary(`${dir}/${name}`)).toMatchObject({ job: name, finish_reason: "completed" });
    }
    expect(site.origin.pages()).toHaveLength(site.expected.length * 2);
  });

  it("crawls a finished job afresh as run 2 and keeps the results of run 1 aside", async () => {
    const dir = folder();
    const site = await graphSite(45, 1, 5);
    const args = [site.seed, ...commandLine(`--out ${dir}/out --delay 0 --partitions 4`), ...loopbackToo];
    // One path of each page is forbidden.
    const skipped = 5;
    const ids: ReadonlySet<string>[] = [];
    for (const run of [1, 2]) {
      const command = crawl(dir, args);
      expect(await command.ended, command.stderr).toBe(0);
      const results = readResults(`${dir}/out`);
      expect(urlsOf(results)).toHaveLength(new Set(urlsOf(results)).size);
      expect(new Set(results.map((result) => result.run))).toEqual(new Set([run]));
      expect(readSummary(`${dir}/out`)).toMatchObject({
        run,
        finish_reason: "completed",
        admitted: results.length + skipped,
      });
      ids.push(new Set(results.map((result) => result.result_id)));
    }
    const [first, second] = [readResults(`${dir}/out`, "results.run-1.jsonl"), readResults(`${dir}/out`)];
    expect(urlsOf(first)).toEqual(urlsOf(second));
    expect(urlsOf(first)[0]).toBe(site.seed);
    expect([...(ids[0] ?? [])].filter((id) => ids[1]?.has(id))).toEqual([]);
    expect(site.origin.pages()).toHaveLength(first.length * 2);
  });

  it("takes the scope along when a seed redirects to another host", async () => {
    const dir = folder();
    const [bare = "", www = "", elsewhere = ""] = loopback(46, 3);
    const site = await origin([bare, www, elsewhere], (host, path) => {
      if (path === "/robots.txt") return noRobots;
      if (host === bare)
        return { status: 301, headers: { location: `http://www.example.test:${site.port}/` } };
      const links = ["/a", "/b", `http://other.example.test:${site.port}/`];
      return path === "/" ? htmlPage("home", links) : htmlPage(path, []);
    });
    const at = (name: string): string => `http://${name}:${site.port}`;
    const command = crawl(dir, [
      `${at("example.test")}/`,
      ...commandLine(`--job ${jobName()} --out ${dir}/out --delay 0`),
      ...commandLine(
        `--resolve example.test:${site.port}:${bare} --resolve www.example.test:${site.port}:${www}`,
      ),
      ...commandLine(`--resolve other.example.test:${site.port}:${elsewhere}`),
      ...loopbackToo,
    ]);
    expect(await command.ended, command.stderr).toBe(0);
    const results = readResults(`${dir}/out`);
    expect(results[0]).toMatchObject({
      url: `${at("example.test")}/`,
      status: 301,
      outcome: "redirect",
      redirect_to: `${at("www.example.test")}/`,
    });
    const www3 = ["/", "/a", "/b"].map((path) => at("www.example.test") + path);
    expect(urlsOf(results)).toEqual([`${at("example.test")}/`, ...www3]);
    expect(site.log.filter(({ host }) => host === elsewhere)).toEqual([]);
  });

  it("asks no private address unless told to, and says so in the result", async () => {
    const dir = folder();
    const [address = ""] = loopback(47, 1);
    const site = await origin([address], () => htmlPage("private", []));
    const command = crawl(dir, [
      site.url(address),
      site.url("localhost", "/page").replace("localhost", "[::1]"),
      ...commandLine(`--job ${jobName()} --out ${dir}/out --delay 0`),
    ]);
    expect(await command.ended, command.stderr).toBe(0);
    const results = readResults(`${dir}/out`);
    expect(results.map(({ outcome, status }) => [outcome, status])).toEqual([
      ["address_refused", null],
      ["address_refused", null],
    ]);
    expect(site.log).toEqual([]);
    expect(command.stderr).toContain("warning: no --contact given");
  });

  it("writes exactly --max-pages results", async () => {
    const dir = folder();
    const site = await graphSite(48, 4, 12);
    const command = crawl(dir, [
      site.seed,
      ...commandLine(
        `--job ${jobName()} --out ${dir}/out --scope any --delay 0 --max-pages 23 --frontiers 2 --fetchers 2`,
      ),
      ...loopbackToo,
    ]);
    expect(await command.ended, command.stderr).toBe(0);
    expect(readResults(`${dir}/out`)).toHaveLength(23);
    const summary = readSummary(`${dir}/out`);
    expect(summary).toMatchObject({ finish_reason: "max_pages", waiting: 0, in_flight: 0 });
    expect(Number(summary["done"]) + Number(summary["failed"])).toBe(23);
    expect(unaccounted(summary)).toBe(0);
  });

  it("ends with 3 and names the brokers where no Kafka answers", async () => {
    expect(await silent.ended).toBe(3);
    expect(silent.stderr).toContain("127.0.0.1:1");
    expect(silent.stderr).not.toMatch(/^\s+at /m);
    expect(silent.stdout).toBe("");
  });

  it("ends with 2 and names every field at fault, having started nothing", async () => {
    const dir = folder();
    const atFault = [
      "--max-pages 0",
      "--max-depth -1",
      "--scope galaxy",
      "--include [",
      "--delay soon",
      "--concurrency-per-host 0",
      "--max-concurrency 0",
      "--allow-private home",
      "--resolve example.test:80",
      "--job No",
      "--partitions 0",
      "--brokers nowhere",
    ];
    const args = ["ftp://a.example/", ...atFault.flatMap(commandLine)];
    const command = new CrawlCommand(args, { SLUICE_DATA_DIR: dir });
    cleanups.push(() => command.dispose());
    expect(await command.ended).toBe(2);
    const named = command.stderr
      .trimEnd()
      .split("\n")
      .map((line) => line.slice(0, line.indexOf(":")));
    expect(named.sort()).toEqual(
      ["URL", ...atFault.map((option) => option.slice(0, option.indexOf(" ")))].sort(),
    );
    expect(readdirSync(dir)).toEqual([]);
  });

  it("ends with 2 and names --out where that is a file", async () => {
    const dir = folder();
    writeFileSync(`${dir}/out`, "mine");
    const command = crawl(dir, commandLine(`http://127.0.0.1/ --job ${jobName()} --out ${dir}/out`));
    expect(await command.ended).toBe(2);
    expect(command.stderr).toMatch(/^--out: .*not a folder/m);
    expect(command.stderr).not.toMatch(/^\s+at /m);
    expect(readFileSync(`${dir}/out`, "utf8")).toBe("mine");
  });
});
