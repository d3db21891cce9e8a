import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import type { JobStatus } from "@sluice/records";
import type { StartedTestContainer } from "testcontainers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseResults } from "../fleet/crawl-command.ts";
import { Graph } from "../fleet/graph.ts";
import { Observer } from "../fleet/observer.ts";
import { politenessViolations, type AccessLine } from "../fleet/origin.ts";
import type { Placement } from "./compose-container.ts";
import { readCompose, root, serviceOf } from "./compose.ts";
import { docker, engineFailure } from "./engine.ts";
import { buildImages, type Images } from "./images.ts";
import type { OriginPlan } from "./origin-main.ts";

const services = ["frontier", "rate-limit", "fetcher", "result-sink", "api"];
const delayMs = 100;
const plan: OriginPlan = {
  hosts: Array.from({ length: 16 }, (_, index) => `host-${index}.origin.test`),
  pagesPerHost: 24,
  seed: 71,
  port: 8080,
};

const failure = engineFailure();
if (failure !== undefined)
  process.stderr.write(
    `tests/docker/crawl.test.ts is skipped: ${failure}. It needs a Docker engine (DOCKER_HOST).\n`,
  );

describe.skipIf(failure !== undefined)("a crawl through containers, each as the compose file says", () => {
  const compose = readCompose();
  const graph = new Graph({ ...plan, crossLinks: 2, port: () => plan.port });
  const cleanups: (() => Promise<unknown> | void)[] = [];
  let images: Images;

  beforeAll(async () => {
    images = await buildImages(services);
  }, 900_000);

  afterAll(async () => {
    for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
  });

  it("completes with exactly the oracle's pages when a fetcher and a frontier are killed for good", async () => {
    // The helper image that removes leftovers cannot be had everywhere. Read when the library is loaded.
    process.env["TESTCONTAINERS_RYUK_DISABLED"] ??= "true";
    const { GenericContainer, Network, Wait } = await import("testcontainers");
    const { Leftovers, startService } = await import("./compose-container.ts");
    const leftovers = new Leftovers();
    const network = await new Network().start();
    cleanups.push(() => network.stop());
    cleanups.push(() => leftovers.remove());
    const start = (name: string, own: Partial<Placement> = {}): Promise<StartedTestContainer> => {
      const image = name === "kafka" ? images.kafka : images.service(services.includes(name) ? name : "api");
      const prefix = `${network.getName()}-`;
      const place = { name, image, network, leftovers, prefix, ...own };
      return startService(serviceOf(compose, name), place);
    };

    const port = await freePort();
    const kafka = serviceOf(compose, "kafka").environment ?? {};
    const atPort = Object.entries(kafka).flatMap(([name, value]) =>
      value?.includes("29092") === true ? [[name, value.replaceAll("29092", String(port))]] : [],
    );
    await start("kafka", { environment: Object.fromEntries(atPort), ports: { [port]: port } });
    await start("topics");
    await start("secrets");

    const origin = await new GenericContainer(images.service("fetcher"))
      .withCopyDirectoriesToContainer([
        { source: join(root, "tests/fleet"), target: "/origin/fleet" },
        { source: join(root, "tests/docker"), target: "/origin/docker" },
      ])
      .withCopyContentToContainer([{ content: '{"type":"module"}', target: "/origin/package.json" }])
      .withCommand(["node", "/origin/docker/origin-main.ts", JSON.stringify(plan)])
      .withNetwork(network)
      .withNetworkAliases(...plan.hosts)
      .withWaitStrategy(Wait.forLogMessage("listening"))
      .start();
    leftovers.containers.push(origin.getId());
    const subnet = await docker(
      "network",
      "inspect",
      "--format",
      "{{(index .IPAM.Config 0).Subnet}}",
      network.getId(),
    );

    const forFetcher = { SLUICE_FETCHER_ALLOW_PRIVATE: subnet.trim() };
    const [frontier, , fetcher, , sink, , api] = await Promise.all([
      start("frontier"),
      start("frontier"),
      start("fetcher", { environment: forFetcher }),
      start("fetcher", { environment: forFetcher }),
      start("result-sink"),
      start("rate-limit"),
      start("api", { ports: { 7400: 0 } }),
    ]);
    const observer = await Observer.open([`127.0.0.1:${port}`], "", 12);
    cleanups.push(() => observer.close());

    const jobs = `http://127.0.0.1:${api.getMappedPort(7400)}/v1/jobs`;
    expect((await fetch(jobs)).status).toBe(401);
    const token = (await docker("exec", api.getId(), "cat", "/secrets/api.env")).trim().split("=")[1];
    const seed = graph.url(0, "/");
    const submitted = await fetch(jobs, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify({ id: "kills", seeds: [seed], scope: { kind: "any" }, politeness: { delayMs } }),
    });
    expect(submitted.status, await submitted.text()).toBe(201);

    const expected = [...graph.reachable([seed])].sort();
    for (const [index, victim] of [fetcher, frontier].entries()) {
      const share = Math.round(((index + 1) / 4) * expected.length);
      await observer.until(`${share} results`, () => observer.results.length >= share);
      await docker("kill", "--signal", "KILL", victim.getId());
    }
    expect(observer.results.length).toBeLessThan(expected.length);
    const status: JobStatus = await observer.ended("kills");

    expect(status.finishReason).toBe("completed");
    expect(observer.results.map(({ url }) => url).sort()).toEqual(expected);
    expect(new Set(observer.results.map((result) => result.result_id)).size).toBe(expected.length);
    // The file has them when the sink has written its last batch.
    const written = async (): Promise<readonly string[]> =>
      parseResults(await docker("exec", sink.getId(), "cat", "/results/results.jsonl"))
        .map(({ url }) => url)
        .sort();
    await expect.poll(written, { timeout: 30_000, interval: 500 }).toEqual(expected);
    const log = await accessLog(origin.getId());
    expect(politenessViolations(log, delayMs)).toEqual([]);
    expect(log.filter(({ path }) => path.startsWith("/private/"))).toEqual([]);
    // Killed for good, both of them: what they had was done by the others.
    for (const victim of [fetcher, frontier])
      expect((await docker("inspect", "--format", "{{.State.ExitCode}}", victim.getId())).trim()).toBe("137");

    // Node is process 1 of each container: told to stop, it drains and ends by itself.
    await docker("stop", "-t", "45", sink.getId(), api.getId());
    for (const stopped of [sink, api])
      expect((await docker("inspect", "--format", "{{.State.ExitCode}}", stopped.getId())).trim()).toBe("0");
  }, 600_000);
});

async function accessLog(container: string): Promise<readonly AccessLine[]> {
  const lines = (await docker("logs", container)).split("\n").filter((line) => line.startsWith("{"));
  return lines.map((line) => JSON.parse(line) as AccessLine);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
