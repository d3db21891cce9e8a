import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "@sluice/local-kafka";
import { jobSchema, policySchema, topics } from "@sluice/records";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Fleet, type ServiceName } from "../fleet/fleet.ts";
import { Observer } from "../fleet/observer.ts";
import { testBrokers } from "./brokers.ts";

const partitions = 4;
const host = "127.64.0.1";
const elsewhere = "127.64.0.2";
const services: readonly ServiceName[] = ["frontier", "rate-limit", "fetcher", "result-sink"];
/** A word of the pages: it is found where the search looks at all. */
const marker = "Visible-Marker-Of-The-Page";

/** Each is made of letters alone, so that no encoding of a URL or of JSON changes it. */
const canaries = {
  password: "CanaryPasswordQxzv",
  header: "CanaryHeaderWkqj",
  token: "CanaryTokenJvbx",
  proxy: "CanaryProxyZqgk",
  unusable: "CanaryUnusableXwqp",
};
const base64 = (text: string): string => Buffer.from(text).toString("base64").replace(/=+$/, "");
const needles = [
  ...Object.values(canaries),
  base64(`crawler:${canaries.password}`),
  base64(`way:${canaries.proxy}`),
];

const hasKcat = spawnSync("kcat", ["-V"]).status === 0;
if (!hasKcat) process.stderr.write("canary.test.ts is skipped: kcat is not found\n");

const dir = mkdtempSync(join(tmpdir(), "sluice-canary-"));
const prefix = `canary-${process.pid}.`;
const seen: { readonly by: string; readonly url: string; readonly fields: string }[] = [];

/** A server that keeps what it was sent, header fields and all. */
async function listen(
  name: string,
  address: string,
  answerTo: (url: string) => { status: number; headers?: Record<string, string>; body?: string } | "reset",
): Promise<{ readonly server: Server; readonly origin: string }> {
  const server = createServer((request, response) => {
    const url = request.url ?? "";
    seen.push({ by: name, url, fields: JSON.stringify(request.headers) });
    const answer = answerTo(url);
    if (answer === "reset") return void request.socket.destroy();
    response.writeHead(answer.status, { "content-type": "text/html", ...answer.headers });
    response.end(answer.body ?? "");
  });
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  return { server, origin: `http://${address}:${(server.address() as AddressInfo).port}` };
}

const page = (...links: readonly string[]) => ({
  status: 200,
  body: `<title>${marker}</title>${links.map((link) => `<a href="${link}">x</a>`).join("")}`,
});

function filesOf(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true })
    .map((name) => join(folder, String(name)))
    .filter((path) => statSync(path).isFile());
}

/** Everything that was ever written into a topic, keys and header fields too, of transactions that were aborted as well. */
function dumpOf(topic: string): string {
  const broker = testBrokers().join(",");
  const format = "%k %h %s\n";
  const args = ["-b", broker, "-C", "-t", topic, "-e", "-q", "-X", "isolation.level=read_uncommitted"];
  const read = spawnSync("kcat", [...args, "-o", "beginning", "-f", format], { maxBuffer: 268_435_456 });
  if (read.status !== 0) throw new Error(`kcat ${topic}: ${String(read.stderr)}`);
  return read.stdout.toString("latin1");
}

describe.skipIf(!hasKcat)("secrets of a whole crawl", { timeout: 600_000 }, () => {
  const servers: Server[] = [];
  const ports = new Map<ServiceName, number>();
  const places = new Map<string, string>();
  let observer: Observer;
  let fleet: Fleet;

  beforeAll(async () => {
    const other = await listen("elsewhere", elsewhere, () => page());
    const site = await listen("site", host, (url) => {
      if (url === "/robots.txt") return { status: 200, headers: { "content-type": "text/plain" } };
      if (url === "/") return page("/a", "/broken", "/reset", "/away");
      if (url === "/broken") return { status: 500 };
      if (url === "/reset") return "reset";
      if (url === "/away") return { status: 302, headers: { location: `${other.origin}/` } };
      return page();
    });
    const proxy = await listen("proxy", "127.0.0.1", (url) =>
      url.includes("reset") ? "reset" : page("/reset"),
    );
    servers.push(site.server, other.server, proxy.server);
    const bound = { origins: [site.origin] };
    const secretsDir = join(dir, "secrets");
    mkdirSync(secretsDir);
    writeFileSync(
      join(secretsDir, "token"),
      JSON.stringify({ kind: "bearer", token: canaries.token, ...bound }),
    );
    const secrets = {
      SLUICE_SECRET_SITE: JSON.stringify({
        kind: "basic",
        user: "crawler",
        password: canaries.password,
        ...bound,
      }),
      SLUICE_SECRET_KEY: JSON.stringify({
        kind: "header",
        header: "x-key",
        value: canaries.header,
        ...bound,
      }),
      SLUICE_SECRET_WAY: `way:${canaries.proxy}`,
      // Bound to nothing: a job may not name it, and is told so without a word of it.
      SLUICE_SECRET_LOOSE: canaries.unusable,
      SLUICE_FETCHER_SECRETS_DIR: secretsDir,
      SLUICE_FETCHER_TRUSTED_PROXIES: proxy.origin,
      SLUICE_FETCHER_AUDIT: "true",
    };
    observer = await Observer.open(testBrokers(), prefix, partitions);
    fleet = new Fleet(join(dir, "fleet"), {
      KAFKA_BROKERS: testBrokers().join(","),
      SLUICE_PREFIX: prefix,
      SLUICE_PARTITIONS: String(partitions),
      SLUICE_FETCHER_ALLOW_PRIVATE: "127.0.0.0/8",
      SLUICE_SINK_DIR: join(dir, "results"),
      SLUICE_LOG_LEVEL: "debug",
    });
    for (const service of services) {
      const port = await freePort(null);
      ports.set(service, port);
      fleet.start(
        service,
        0,
        {},
        { SLUICE_ADMIN_PORT: String(port), ...(service === "fetcher" ? secrets : {}) },
      );
    }
    const policy = policySchema.parse({
      proxy: { url: proxy.origin, credentials: { env: "SLUICE_SECRET_WAY" } },
    });
    await observer.produce([
      {
        topic: prefix + topics.policies.name,
        partition: 0,
        key: "proxied.example",
        value: JSON.stringify(policy),
      },
    ]);
    const politeness = { delayMs: 0 };
    const scope = { kind: "any" } as const;
    const fetchOf = (...names: readonly string[]) => ({ secrets: [...names], attemptsMax: 2 });
    const jobs = [
      { id: "basic", seeds: [`${site.origin}/`], fetch: fetchOf("site", "key") },
      { id: "token", seeds: [`${site.origin}/token`], fetch: fetchOf("token") },
      { id: "loose", seeds: [`${other.origin}/loose`], fetch: fetchOf("loose") },
      { id: "proxied", seeds: ["http://proxied.example/"], fetch: fetchOf() },
    ];
    for (const job of jobs) await observer.submit({ ...job, politeness, scope });
    for (const { id } of jobs) await observer.ended(id, 300_000);
    for (const [service, port] of ports)
      places.set(
        `metrics of ${service}`,
        await fetch(`http://127.0.0.1:${port}/metrics`).then((answer) => answer.text()),
      );
    await fleet.stop();
    for (const path of filesOf(join(dir, "fleet"))) places.set(path, readFileSync(path, "latin1"));
    for (const path of filesOf(join(dir, "results"))) places.set(path, readFileSync(path, "latin1"));
    const listed = spawnSync("kcat", ["-b", testBrokers().join(","), "-L", "-J"], { maxBuffer: 67_108_864 });
    const found = JSON.parse(listed.stdout.toString("utf8")) as { topics: readonly { topic: string }[] };
    for (const { topic } of found.topics)
      if (topic.startsWith(prefix)) places.set(`topic ${topic}`, dumpOf(topic));
  }, 600_000);

  afterAll(async () => {
    await fleet.stop();
    await observer.close();
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
    rmSync(dir, { recursive: true, force: true });
  });

  it("reach the origins and the proxy that they are for, and nobody else", () => {
    const sawAt = (by: string, needle: string): boolean =>
      seen.some((each) => each.by === by && each.fields.includes(needle));
    expect(sawAt("site", base64(`crawler:${canaries.password}`))).toBe(true);
    expect(sawAt("site", canaries.header)).toBe(true);
    expect(sawAt("site", canaries.token)).toBe(true);
    expect(sawAt("proxy", base64(`way:${canaries.proxy}`))).toBe(true);
    // The redirect was followed there, without them.
    expect(seen.some(({ by, url }) => by === "elsewhere" && url === "/")).toBe(true);
    expect(needles.filter((needle) => sawAt("elsewhere", needle))).toEqual([]);
    expect(sawAt("proxy", canaries.header) || sawAt("site", base64(`way:${canaries.proxy}`))).toBe(false);
  });

  it("lie in no topic, log, metric, result or state, in clear or as they are sent", () => {
    const names = [...places.keys()];
    const kinds = [topics.jobs.name, topics.results.name, topics.events.name, topics.permits.name];
    for (const topic of kinds) expect(names).toContain(`topic ${prefix}${topic}`);
    expect(names.filter((name) => name.startsWith("metrics of "))).toHaveLength(services.length);
    expect(names.filter((name) => name.endsWith(".log"))).toHaveLength(services.length);
    const withMarker = names.filter((name) => places.get(name)?.includes(marker) === true);
    // The search finds what is there: in the topic and in the files.
    expect(withMarker).toContain(`topic ${prefix}${topics.results.name}`);
    expect(withMarker.some((name) => name.endsWith("results.jsonl"))).toBe(true);
    const leaks = names.flatMap((name) =>
      needles
        .filter((needle) => places.get(name)?.includes(needle) === true)
        .map((needle) => `${needle} in ${name}`),
    );
    expect(leaks).toEqual([]);
  });

  it("can't be given in clear: a job with a credential among its header fields is refused", () => {
    const withHeader = (field: string): boolean =>
      jobSchema.safeParse({ id: "clear", fetch: { headers: { [field]: canaries.header } } }).success;
    expect(["authorization", "cookie", "proxy-authorization"].map(withHeader)).toEqual([false, false, false]);
  });
});
