import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "@sluice/local-kafka";
import { jobSchema, policySchema, topics } from "@sluice/records";
import kafkajs from "kafkajs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Fleet, type ServiceName } from "../fleet/fleet.ts";
import { Observer } from "../fleet/observer.ts";
import { testBrokers } from "./brokers.ts";

const partitions = 4;
const host = "127.64.0.1";
const elsewhere = "127.64.0.2";
const services: readonly ServiceName[] = ["frontier", "rate-limit", "fetcher", "result-sink", "api"];
/** A word of the pages: it is found where the search looks at all. */
const marker = "Visible-Marker-Of-The-Page";

/** Each is made of letters alone, so that no encoding of a URL or of JSON changes it. */
const canaries = {
  password: "CanaryPasswordQxzv",
  header: "CanaryHeaderWkqj",
  token: "CanaryTokenJvbx",
  cookie: "CanaryCookieYhgw",
  link: "CanaryLinkPmrz",
  api: "CanaryApiTokenVcqd",
  proxy: "CanaryProxyZqgk",
  unusable: "CanaryUnusableXwqp",
};
const base64 = (text: string): string => Buffer.from(text).toString("base64").replace(/=+$/, "");
const needles = [
  ...Object.values(canaries),
  base64(`crawler:${canaries.password}`),
  base64(`way:${canaries.proxy}`),
];

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

const ending = "the last record of the partition";

/**
 * Everything that was ever written into the topics, keys and header fields too, of transactions that were aborted as well.
 * No service runs any more, so the records written here are the last ones.
 */
async function dumpOf(observer: Observer): Promise<ReadonlyMap<string, string>> {
  const kafka = new kafkajs.Kafka({ brokers: testBrokers(), logLevel: kafkajs.logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  const { topics: all } = await admin.fetchTopicMetadata();
  await admin.disconnect();
  const mine = all.filter(({ name }) => name.startsWith(prefix));
  const places = mine.flatMap(({ name, partitions: of }) =>
    of.map(({ partitionId }) => ({ topic: name, partition: partitionId })),
  );
  await observer.produce(places.map((place) => ({ ...place, key: ending, value: "{}" })));
  const dumps = new Map(mine.map(({ name }) => [name, ""]));
  const open = new Set(places.map(({ topic, partition }) => `${topic} ${partition}`));
  const read = Promise.withResolvers<void>();
  const consumer = kafka.consumer({ groupId: `canary-reader-${process.pid}`, readUncommitted: true });
  await consumer.connect();
  await consumer.subscribe({ topics: mine.map(({ name }) => name), fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch: { topic, partition, messages } }) => {
      const texts = messages.map(({ key, value, headers }) => {
        const fields = Object.entries(headers ?? {}).map(([name, field]) => `${name}=${String(field)}`);
        return [key?.toString("latin1"), ...fields, value?.toString("latin1")].join(" ");
      });
      dumps.set(topic, `${dumps.get(topic) ?? ""}${texts.join("\n")}\n`);
      if (messages.some(({ key }) => key?.toString() === ending)) open.delete(`${topic} ${partition}`);
      if (open.size === 0) read.resolve();
    },
  });
  await read.promise;
  await consumer.disconnect();
  return dumps;
}

describe("secrets of a whole crawl", { timeout: 600_000 }, () => {
  const servers: Server[] = [];
  const ports = new Map<ServiceName, number>();
  const places = new Map<string, string>();
  const apiStatuses: number[] = [];
  let observer: Observer;
  let fleet: Fleet;

  beforeAll(async () => {
    const other = await listen("elsewhere", elsewhere, () => page());
    let origin = "";
    const site = await listen("site", host, (url) => {
      if (url === "/robots.txt") return { status: 200, headers: { "content-type": "text/plain" } };
      if (url === "/") {
        // What a page gives away itself is no secret of ours, and is kept no more than one.
        const { host: site } = new URL(origin);
        return page("/a", "/broken", "/reset", "/away", `http://crawler:${canaries.link}@${site}/linked`);
      }
      if (url === "/broken") return { status: 500 };
      if (url === "/reset") return "reset";
      if (url === "/away") return { status: 302, headers: { location: `${other.origin}/` } };
      return page();
    });
    const proxy = await listen("proxy", "127.0.0.1", (url) =>
      url.includes("reset") ? "reset" : page("/reset"),
    );
    origin = site.origin;
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
      SLUICE_SECRET_SESSION: JSON.stringify({
        kind: "cookie",
        cookie: `session=${canaries.cookie}`,
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
    const apiPort = await freePort(null);
    for (const service of services) {
      const port = await freePort(null);
      ports.set(service, port);
      fleet.start(
        service,
        0,
        {},
        {
          SLUICE_ADMIN_PORT: String(port),
          ...(service === "fetcher" ? secrets : {}),
          ...(service === "api" ? { SLUICE_API_PORT: String(apiPort), SLUICE_API_TOKEN: canaries.api } : {}),
        },
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
      { id: "basic", seeds: [`${site.origin}/`], fetch: fetchOf("site", "key", "session") },
      { id: "token", seeds: [`${site.origin}/token`], fetch: fetchOf("token") },
      { id: "loose", seeds: [`${other.origin}/loose`], fetch: fetchOf("loose") },
      { id: "proxied", seeds: ["http://proxied.example/"], fetch: fetchOf() },
    ];
    for (const job of jobs) await observer.submit({ ...job, politeness, scope });
    for (const { id } of jobs) await observer.ended(id, 300_000);
    const jobsOf = async (token: string): Promise<number> => {
      const answer = await fetch(`http://127.0.0.1:${apiPort}/v1/jobs`, {
        headers: { authorization: `Bearer ${token}` },
      });
      places.set(`answer of the api, ${answer.status}`, await answer.text());
      return answer.status;
    };
    apiStatuses.push(await jobsOf(canaries.api), await jobsOf(`${canaries.api}x`));
    for (const [service, port] of ports)
      places.set(
        `metrics of ${service}`,
        await fetch(`http://127.0.0.1:${port}/metrics`).then((answer) => answer.text()),
      );
    await fleet.stop();
    for (const path of filesOf(join(dir, "fleet"))) places.set(path, readFileSync(path, "latin1"));
    for (const path of filesOf(join(dir, "results"))) places.set(path, readFileSync(path, "latin1"));
    for (const [topic, dump] of await dumpOf(observer)) places.set(`topic ${topic}`, dump);
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
    expect(sawAt("site", canaries.cookie)).toBe(true);
    expect(seen.some(({ by, url }) => by === "site" && url === "/linked")).toBe(true);
    expect(apiStatuses).toEqual([200, 401]);
    expect(sawAt("proxy", base64(`way:${canaries.proxy}`))).toBe(true);
    // The redirect was followed there, without them.
    expect(seen.some(({ by, url }) => by === "elsewhere" && url === "/")).toBe(true);
    expect(needles.filter((needle) => sawAt("elsewhere", needle))).toEqual([]);
    expect(sawAt("proxy", canaries.header) || sawAt("site", base64(`way:${canaries.proxy}`))).toBe(false);
  });

  it("lie in no topic, log, metric, result or state, in clear or as they are sent", () => {
    const names = [...places.keys()];
    for (const { name } of Object.values(topics)) {
      const isThere = names.includes(`topic ${prefix}${name}`);
      expect(isThere || name === topics.registrableDomains.name, name).toBe(true);
    }
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
