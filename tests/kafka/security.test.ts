import { spawn, spawnSync } from "node:child_process";
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { freePort } from "@sluice/local-kafka";
import { Authority, encryptedKey, type Signed } from "../fleet/certificates.ts";
import { commandLine, CrawlCommand, readResults } from "../fleet/crawl-command.ts";
import { Fleet, type ServiceName } from "../fleet/fleet.ts";
import { loopback } from "../fleet/graph.ts";
import { Observer } from "../fleet/observer.ts";
import { htmlPage, Origin } from "../fleet/origin.ts";
import { startSecuredKafka, type SecuredKafka } from "../fleet/secured-kafka.ts";

type Env = Readonly<Record<string, string>>;

const missing = ["java", "openssl"].filter((tool) => spawnSync(tool, ["-version"]).error !== undefined);
if (missing.length > 0)
  process.stderr.write(`security.test.ts is skipped: ${missing.join(" and ")} not found\n`);

/** What must never be seen: each secret has it in it. */
const canary = "canary0f7d1";
const password = `${canary}-password`;
const keyPassword = `${canary}-key`;
const token = `${canary}-token`;
const user = "crawler";

/** How a process ended that was started with a setting that is wrong, and what it said. */
interface Ended {
  readonly code: number | null;
  readonly said: string;
}

describe.skipIf(missing.length > 0)("a Kafka with TLS and passwords", { timeout: 240_000 }, () => {
  const dir = mkdtempSync(join(tmpdir(), "sluice-security-"));
  const [host = ""] = loopback(57, 1);
  /** Everything that any process has said. */
  const said: string[] = [];
  let kafka: SecuredKafka;
  let origin: Origin;
  let ca: string;
  let client: Signed;

  const sasl = (mechanism: string): Env => ({
    KAFKA_BROKERS: kafka.login,
    KAFKA_SECURITY_PROTOCOL: "SASL_SSL",
    KAFKA_SASL_MECHANISM: mechanism,
    KAFKA_SASL_USERNAME: user,
    KAFKA_SASL_PASSWORD: password,
    KAFKA_SSL_CA_LOCATION: ca,
  });
  const mutual = (): Env => ({
    KAFKA_BROKERS: kafka.mutual,
    KAFKA_SECURITY_PROTOCOL: "SSL",
    KAFKA_SSL_CA_LOCATION: ca,
    KAFKA_SSL_CERTIFICATE_LOCATION: client.certificate,
    KAFKA_SSL_KEY_LOCATION: encryptedKey(client, keyPassword),
    KAFKA_SSL_KEY_PASSWORD: keyPassword,
  });

  beforeAll(async () => {
    kafka = await startSecuredKafka(dir, user, password);
    ca = kafka.authority.certificate;
    client = kafka.authority.sign("client", "DNS:client");
    origin = await Origin.start([host], (_, path) => {
      if (path === "/robots.txt") return { status: 404 };
      return htmlPage(path, path === "/" ? ["/one", "/two"] : []);
    });
  });

  afterAll(async () => {
    await origin.close();
    await kafka.kafka.kill();
    rmSync(dir, { recursive: true, force: true });
  });

  const pages = (): readonly string[] => ["/", "/one", "/two"].map((path) => origin.url(host, path));

  /** `sluice crawl` of the site; resolves to its exit code. */
  async function crawl(job: string, env: Env): Promise<number> {
    const options = `--job ${job} --out ${dir}/${job} --delay 0 --contact a@b.example --partitions 2`;
    const command = new CrawlCommand(
      [origin.url(host), ...commandLine(options), "--allow-private", "127.0.0.0/8"],
      { ...env, SLUICE_DATA_DIR: join(dir, "data"), SLUICE_LOG_LEVEL: "debug" },
    );
    try {
      return await command.ended;
    } finally {
      said.push(command.stdout, command.stderr);
      await command.dispose();
    }
  }

  /** A service that can't begin: how it ends. It is killed where it does not end. */
  function endOf(service: ServiceName, env: Env): Promise<Ended> {
    const child = spawn(process.execPath, [`services/${service}/src/main.ts`], {
      env: { ...process.env, SLUICE_PREFIX: "refused.", SLUICE_LOG_LEVEL: "debug", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let text = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (part: string) => {
        text += part;
      });
    const timer = setTimeout(() => child.kill("SIGKILL"), 60_000);
    return new Promise((resolve) => {
      child.once("close", (code) => {
        clearTimeout(timer);
        said.push(text);
        resolve({ code, said: text });
      });
    });
  }

  it("is crawled through by the command, with the password in a file and the brokers under the name that Kafka's own tools use", async () => {
    const file = join(dir, "password");
    writeFileSync(file, `${password}\n`);
    const { KAFKA_BROKERS: brokers = "", KAFKA_SASL_PASSWORD: _, ...rest } = sasl("SCRAM-SHA-512");
    const env = { ...rest, KAFKA_BOOTSTRAP_SERVERS: brokers, KAFKA_SASL_PASSWORD_FILE: file };
    expect(await crawl("by-file", env), said.at(-1)).toBe(0);
    const urls = readResults(join(dir, "by-file")).map(({ url }) => url);
    expect(urls.toSorted()).toEqual(pages().toSorted());
  });

  it("is crawled through by services that each reach it in another way: PLAIN, both SCRAMs, TLS, and a certificate whose key is encrypted", async () => {
    const prefix = "ways.";
    const observer = await Observer.open([kafka.plaintext], prefix, 2);
    const [adminPort, apiPort] = [await freePort(null), await freePort(null)];
    const fleet = new Fleet(join(dir, "fleet"), {
      SLUICE_PREFIX: prefix,
      SLUICE_PARTITIONS: "2",
      SLUICE_LOG_LEVEL: "debug",
    });
    try {
      fleet.start("frontier", 0, sasl("PLAIN"));
      fleet.start("rate-limit", 0, sasl("SCRAM-SHA-256"));
      fleet.start("fetcher", 0, {
        ...mutual(),
        SLUICE_ADMIN_PORT: String(adminPort),
        SLUICE_FETCHER_ALLOW_PRIVATE: "127.0.0.0/8",
      });
      fleet.start("result-sink", 0, { ...sasl("SCRAM-SHA-512"), SLUICE_SINK_DIR: join(dir, "sink") });
      fleet.start("api", 0, {
        KAFKA_BROKERS: kafka.tls,
        KAFKA_SECURITY_PROTOCOL: "SSL",
        KAFKA_SSL_CA_LOCATION: ca,
        SLUICE_API_PORT: String(apiPort),
        SLUICE_API_TOKEN: token,
      });
      await observer.submit({ id: "ways", seeds: [origin.url(host)], politeness: { delayMs: 0 } });
      await observer.ended("ways");
      expect(observer.results.map(({ url }) => url).toSorted()).toEqual(pages().toSorted());
      await expect.poll(() => readResults(join(dir, "sink")).length, { timeout: 60_000 }).toBe(3);
      const api = `http://127.0.0.1:${apiPort}`;
      const ready = async (): Promise<number> => (await fetch(`${api}/livez`).catch(() => null))?.status ?? 0;
      await expect.poll(ready, { timeout: 60_000 }).toBe(200);
      const headers = { authorization: `Bearer ${token}` };
      const answers = [
        await fetch(`http://127.0.0.1:${adminPort}/metrics`),
        await fetch(`${api}/metrics`, { headers }),
        await fetch(`${api}/v1/jobs/ways`, { headers }),
        await fetch(`${api}/v1/jobs`),
      ];
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 401]);
      for (const answer of answers) said.push(await answer.text());
      for (const service of ["frontier", "rate-limit", "fetcher", "result-sink", "api"] as const)
        expect(fleet.deaths(service, 0), service).toBe(0);
    } finally {
      await fleet.stop();
      await observer.close();
    }
  });

  it("refuses a wrong password: services and the command end with 2 and name the setting", async () => {
    const wrong = { ...sasl("SCRAM-SHA-512"), KAFKA_SASL_PASSWORD: `${canary}-wrong` };
    for (const service of ["frontier", "api"] as const) {
      const { code, said: text } = await endOf(service, wrong);
      expect(code, text).toBe(2);
      expect(text).toMatch(/KAFKA_SASL_PASSWORD or KAFKA_SASL_USERNAME is wrong/);
      expect(text).toContain(kafka.login);
    }
    expect(await crawl("wrong-password", wrong)).toBe(2);
    expect(said.at(-1)).toContain("KAFKA_SASL_PASSWORD or KAFKA_SASL_USERNAME is wrong");
  });

  it("refuses a mechanism that it does not offer", async () => {
    const { code, said: text } = await endOf("rate-limit", {
      ...sasl("SCRAM-SHA-256"),
      KAFKA_BROKERS: kafka.plainLogin,
    });
    expect(code, text).toBe(2);
    expect(text).toContain("KAFKA_SASL_MECHANISM has to be one that the brokers offer");
  });

  it("is refused where its certificate is of an authority that is not trusted", async () => {
    const other = new Authority(dir, "other").certificate;
    for (const env of [
      { ...sasl("PLAIN"), KAFKA_SSL_CA_LOCATION: other },
      { KAFKA_BROKERS: kafka.tls, KAFKA_SECURITY_PROTOCOL: "SSL" },
    ]) {
      const { code, said: text } = await endOf("fetcher", env);
      expect(code, text).toBe(2);
      expect(text).toContain("KAFKA_SSL_CA_LOCATION has to name the authority");
    }
    expect(await crawl("unknown-authority", { ...sasl("PLAIN"), KAFKA_SSL_CA_LOCATION: other })).toBe(2);
    expect(said.at(-1)).toContain("KAFKA_SSL_CA_LOCATION has to name the authority");
  });

  it("refuses a client without a certificate, or with one of another authority", async () => {
    const stranger = new Authority(dir, "strangers").sign("stranger", "DNS:stranger");
    const tls = { KAFKA_BROKERS: kafka.mutual, KAFKA_SECURITY_PROTOCOL: "SSL", KAFKA_SSL_CA_LOCATION: ca };
    const own = {
      KAFKA_SSL_CERTIFICATE_LOCATION: stranger.certificate,
      KAFKA_SSL_KEY_LOCATION: stranger.key,
    };
    for (const env of [tls, { ...tls, ...own }]) {
      const { code, said: text } = await endOf("result-sink", { ...env, SLUICE_SINK_DIR: dir });
      expect(code, text).toBe(2);
      expect(text).toContain("KAFKA_SSL_CERTIFICATE_LOCATION and KAFKA_SSL_KEY_LOCATION have to name");
    }
  });

  it("is not even asked with a key that can't be decrypted or that is of another certificate", async () => {
    const other = kafka.authority.sign("third", "DNS:third");
    const wrong = await endOf("frontier", { ...mutual(), KAFKA_SSL_KEY_PASSWORD: `${canary}-no` });
    expect(wrong.code, wrong.said).toBe(2);
    expect(wrong.said).toContain("KAFKA_SSL_KEY_LOCATION names a file that is of no use");
    const { KAFKA_SSL_KEY_PASSWORD: _, ...bare } = mutual();
    const odd = await endOf("frontier", { ...bare, KAFKA_SSL_KEY_LOCATION: other.key });
    expect(odd.code, odd.said).toBe(2);
    expect(odd.said).toContain("KAFKA_SSL_CERTIFICATE_LOCATION names a file that is of no use");
  });

  it("is waited for where it is spoken to in another protocol, since it may also be away: the log names the protocol", async () => {
    expect(await crawl("in-the-clear", { KAFKA_BROKERS: kafka.tls })).toBe(3);
    expect(said.at(-1)).toContain("KAFKA_SECURITY_PROTOCOL may be another one");
    const fleet = new Fleet(join(dir, "waiting"), { KAFKA_BROKERS: kafka.login, SLUICE_PREFIX: "waiting." });
    fleet.start("rate-limit");
    const warned = (): boolean =>
      fleet
        .log("rate-limit", 0)
        .some(
          (line) =>
            line["level"] === "warn" &&
            line["event"] === "kafka_client_error" &&
            line["securityProtocol"] === "PLAINTEXT",
        );
    try {
      await expect.poll(warned, { timeout: 30_000 }).toBe(true);
      expect(fleet.deaths("rate-limit", 0)).toBe(0);
    } finally {
      await fleet.stop();
    }
  });

  it("has its secrets in nothing that was said, logged, measured or written to a topic", () => {
    for (const text of said) expect(text).not.toContain(canary);
    const read = (pattern: string): readonly string[] =>
      globSync(pattern, { cwd: dir }).map((file) => join(dir, file));
    const logs = read("{data,fleet,waiting,sink}/**/*.{log,jsonl,json}");
    const topics = read("kafka/data/*.crawl.*/*.log");
    // The broker's own settings have them: the search finds what is there.
    expect(readFileSync(join(dir, "kafka/server.properties")).includes(canary)).toBe(true);
    expect(logs.map((file) => basename(file)).toSorted()).toEqual(
      expect.arrayContaining(["api-0.log", "fetcher-0.log", "fetcher-1.log", "results.jsonl"]),
    );
    const written = topics.filter((file) => readFileSync(file).length > 0);
    const names = new Set(written.map((file) => basename(dirname(file)).replace(/-\d+$/, "")));
    for (const prefix of ["ways.", "by-file."])
      for (const topic of ["jobs", "events", "results", "counters", "frontier-state"])
        expect([...names]).toContain(`${prefix}crawl.${topic}`);
    for (const file of [...logs, ...topics]) expect(readFileSync(file).includes(canary), file).toBe(false);
  });
});
