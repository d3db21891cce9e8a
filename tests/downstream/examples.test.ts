import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { freePort } from "@sluice/local-kafka";
import { topicList } from "@sluice/records";
import { parseResults } from "../fleet/crawl-command.ts";
import { Fleet } from "../fleet/fleet.ts";
import { loopback } from "../fleet/graph.ts";
import { Observer } from "../fleet/observer.ts";
import { htmlPage, Origin } from "../fleet/origin.ts";
import { shell, testedBlocks, type ShellAnswer } from "../fleet/tested-blocks.ts";
import { testBrokers } from "../kafka/brokers.ts";

const root = resolve(import.meta.dirname, "../..");
const blocks = testedBlocks(readFileSync(join(root, "README.md"), "utf8"));

const missing = [
  ["kcat", "-V"],
  ["curl", "--version"],
  ["python3", "-c", "import venv, ensurepip"],
].flatMap(([tool = "", ...args]) => (spawnSync(tool, args).status === 0 ? [] : [tool]));
if (missing.length > 0)
  process.stderr.write(`examples.test.ts is skipped: ${missing.join(", ")} not found or not complete\n`);

describe.skipIf(missing.length > 0)("the README's examples on a live crawl", { timeout: 240_000 }, () => {
  const [host = ""] = loopback(58, 1);
  const dir = mkdtempSync(join(tmpdir(), "sluice-examples-"));
  const run = new Set<string>();
  let origin: Origin;
  let observer: Observer;
  let fleet: Fleet;
  let api: string;

  /** The block as it stands in the README, with the addresses of this test in place of those of a user. */
  function example(name: string): Promise<ShellAnswer> {
    run.add(name);
    const text = blocks.find((block) => block.name === name)?.text;
    if (text === undefined) throw new Error(`the README has no tested block ${name}`);
    const commands = text
      .replaceAll("localhost:9092", testBrokers().join(","))
      .replaceAll("localhost:7400", api)
      .replaceAll("https://example.org", origin.url(host, ""));
    return shell(commands, { cwd: dir, env: { KAFKA_BROKERS: testBrokers().join(",") } });
  }

  async function answerOf(name: string): Promise<string> {
    const { code, stdout, stderr } = await example(name);
    expect(code, `${name}: ${stdout}${stderr}`).toBe(0);
    return stdout;
  }

  const has =
    (path: string, job = "default") =>
    (): boolean =>
      observer.results.some((result) => result.url === origin.url(host, path) && result.job === job);

  beforeAll(async () => {
    let busy = true;
    origin = await Origin.start([host], (_, path) => {
      if (path === "/robots.txt") return { status: 404 };
      // A host that asks for a pause is told in crawl.hosts.
      if (path === "/about/us" && busy) {
        busy = false;
        return { status: 503, headers: { "retry-after": "1" } };
      }
      return htmlPage(
        `Page ${path}`,
        path === "/" ? ["/one", "/two"] : path === "/about" ? ["/about/us"] : [],
      );
    });
    observer = await Observer.open(testBrokers(), "", 12);
    api = `127.0.0.1:${await freePort(null)}`;
    symlinkSync(join(root, "examples"), join(dir, "examples"));
    fleet = new Fleet(join(dir, "fleet"), {
      KAFKA_BROKERS: testBrokers().join(","),
      SLUICE_FETCHER_ALLOW_PRIVATE: "127.0.0.0/8",
      SLUICE_SINK_DIR: join(dir, "sink"),
      SLUICE_API_PORT: api.split(":")[1] ?? "",
    });
    for (const service of ["frontier", "rate-limit", "result-sink", "api"] as const) fleet.start(service);
    // A transaction with results in it is left open and aborted: no reader may see what was in it.
    fleet.start("fetcher", 0, { SLUICE_FAILPOINT: "after_send:2" });
  });

  afterAll(async () => {
    await fleet.stop();
    await observer.close();
    await origin.close();
    rmSync(dir, { recursive: true, force: true });
  });

  it("seeds: written with kcat they are crawled", async () => {
    await answerOf("kcat-seeds");
    await observer.until(
      "the pages of the seed",
      () => has("/")() && has("/one")() && has("/two")(),
      150_000,
    );
    expect(fleet.deaths("fetcher", 0)).toBe(1);
  });

  it("seeds: written with a plain client in Python they are crawled", async () => {
    await answerOf("python-install");
    expect(await answerOf("python-seeds")).toBe("2 of 2 seeds taken by Kafka\n");
    await observer.until("the pages of the seeds", () => has("/about")() && has("/about/us")(), 150_000);
  });

  it("a job: sent with curl, its events told up to the last, its results had", async () => {
    expect(JSON.parse(await answerOf("curl-job"))).toMatchObject({ id: "example", run: 1 });
    const events = (await answerOf("curl-events")).split("\n\n");
    const typesOf = events.flatMap((block) => /^event: (.*)$/m.exec(block)?.[1] ?? []);
    expect(typesOf.filter((type) => type === "url_crawled")).toHaveLength(3);
    expect(typesOf.at(-1)).toBe("job_completed");
    const results = parseResults(await answerOf("curl-results"));
    expect(results.map(({ url, status }) => [url, status]).toSorted()).toEqual(
      [
        [origin.url(host, "/"), 200],
        [origin.url(host, "/two"), 200],
        [origin.url(host, "/one"), 200],
      ].toSorted(),
    );
  });

  it("results: read with kcat they are all there, each once, under the id of its URL", async () => {
    const lines = (await answerOf("kcat-results")).trimEnd().split("\n");
    const read = lines.map((line) => [line.slice(0, line.indexOf(" ")), line.slice(line.indexOf(" ") + 1)]);
    const results = parseResults(read.map(([, value]) => `${value}\n`).join(""));
    expect(read.map(([key]) => key)).toEqual(results.map((result) => result.url_id));
    const ids = results.map((result) => result.result_id).toSorted();
    expect(ids).toEqual(observer.results.map((result) => result.result_id).toSorted());
    expect(new Set(ids).size).toBe(ids.length);
  });

  it("results: read with a plain client in Python each is a row once, also when all come again", async () => {
    const count = observer.results.length;
    expect(await answerOf("python-results")).toBe(`${count} new results, 0 already there\n`);
    // The offsets are committed: another start has nothing to read.
    expect(await answerOf("python-results")).toBe("0 new results, 0 already there\n");
    // Another group has no offsets: all come again, and no row is written twice.
    const again = await shell(".venv/bin/python examples/python/read_results.py --group another --idle 5", {
      cwd: dir,
      env: { KAFKA_BROKERS: testBrokers().join(",") },
    });
    expect(again.stdout, again.stderr).toBe(`0 new results, ${count} already there\n`);
    const rows = await shell(
      `.venv/bin/python -c 'import sqlite3; print(*sorted(row[0] for row in sqlite3.connect("results.sqlite").execute("SELECT url FROM results")), sep="\\n")'`,
      { cwd: dir },
    );
    expect(rows.stdout.trimEnd().split("\n"), rows.stderr).toEqual(
      observer.results.map(({ url }) => url).toSorted(),
    );
  });

  it("every record of a public topic is valid by its committed schema, for a validator that is not ours", async () => {
    const policy = await fetch(`http://${api}/v1/policies/unasked.example`, {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ blocked: { reason: "asked by mail" }, delayMs: 5000 }),
    });
    expect(policy.status).toBe(201);
    const tests = join(root, "tests/downstream");
    await shell(`.venv/bin/pip install -q -r ${tests}/requirements.txt`, { cwd: dir });
    const schemas = join(root, "docs/reference/schemas");
    const { code, stdout, stderr } = await shell(
      `.venv/bin/python ${tests}/validate_records.py '${testBrokers().join(",")}' '' '${schemas}'`,
      { cwd: dir },
    );
    expect(code, stdout + stderr).toBe(0);
    const report = JSON.parse(stdout) as Readonly<Record<string, { readonly valid: number }>>;
    const open = topicList.filter((each) => each.public && each.schema !== null).map(({ name }) => name);
    expect(Object.keys(report).toSorted()).toEqual(open.toSorted());
    for (const topic of open) expect(report[topic]?.valid, topic).toBeGreaterThan(0);
    expect(report["crawl.results"]?.valid).toBe(observer.results.length);
  });

  it("are all there are: no block is marked as tested and not run", () => {
    expect([...run].toSorted()).toEqual(blocks.map(({ name }) => name).toSorted());
  });
});
