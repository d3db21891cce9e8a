import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Breakers, createHttpClient, type HttpClient, type Route } from "@sluice/http";
import { jobSchema, policySchema, type HostPolicy, type JobInput } from "@sluice/records";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { FetchOutcome } from "../src/calls.ts";
import { performFetches } from "../src/perform.ts";
import { inlineReader } from "../src/reading/reader.ts";
import { egressOf, RequestMaker } from "../src/request-maker.ts";
import { SecretStore } from "../src/secrets.ts";
import { noWait } from "./answers.ts";

const canary = "canary-77aa";

describe("a job's requests", () => {
  let server: Server;
  let client: HttpClient;
  let origin = "";
  const seen: { path: string; headers: IncomingHttpHeaders; from: string | undefined }[] = [];

  beforeAll(async () => {
    server = createServer((request, response) => {
      seen.push({
        path: request.url ?? "",
        headers: request.headers,
        from: request.socket.remoteAddress,
      });
      const path = request.url ?? "";
      if (path === "/never") return;
      if (path === "/moved") response.writeHead(302, { location: `http://localhost.test:1${path}` }).end();
      else if (path === "/image") response.writeHead(200, { "content-type": "image/png" }).end("0123456789");
      else if (path === "/typed-twice") {
        const type = ["content-type", "text/html"];
        const tag = ["x-robots-tag", "otherbot: nofollow", "x-robots-tag", "noindex"];
        response.writeHead(200, [...type, ...type, ...tag]).end("<title>t</title>");
      } else if (path === "/untyped") response.writeHead(200).end("0123456789");
      else
        response
          .writeHead(200, { "content-type": "Text/HTML; charset=utf-8" })
          .end("<title>t</title>0123456789");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    client = createHttpClient({ userAgent: "test", isAllowed: () => ({ allowed: true, reason: "a test" }) });
  });

  afterAll(async () => {
    await client.destroy();
    server.close();
  });

  async function fetchAs(
    path: string,
    fetch: NonNullable<JobInput["fetch"]>,
    env: Readonly<Record<string, string>> = {},
    route: Route = {},
    kind: "page" | "robots" = "page",
    policy: HostPolicy = {},
  ): Promise<FetchOutcome> {
    const store = new SecretStore({ env, dir: null, monotonicMs: () => 0 });
    const job = jobSchema.parse({ id: "j", fetch });
    const perform = performFetches(
      new Breakers(client, { nowMs: Date.now }),
      new RequestMaker({ secrets: store, route, trustedProxies: [] }),
      inlineReader(Date.now),
      Date.now,
    );
    const base = { domain: "127.0.0.1", url: origin + path, policy, ...noWait };
    return await perform(
      kind === "page"
        ? { kind, ...base, fetch: job.fetch }
        : { kind, ...base, totalTimeoutMs: 5000, secrets: job.fetch.secrets },
      new AbortController().signal,
    );
  }
  const lastSeen = () => seen.at(-1) ?? { path: "", headers: {}, from: undefined };
  const secretOf = (origins: readonly string[]) => ({
    SLUICE_SECRET_DOCS: JSON.stringify({ kind: "bearer", token: canary, origins }),
  });

  test("carry its header fields and its secrets to the origins they are bound to, for robots.txt too", async () => {
    await fetchAs("/", { headers: { "X-Team": "search" }, secrets: ["docs"] }, secretOf([origin]));
    expect(lastSeen().headers).toMatchObject({ "x-team": "search", authorization: `Bearer ${canary}` });
    await fetchAs("/robots.txt", { secrets: ["docs"] }, secretOf([origin]), {}, "robots");
    expect(lastSeen().headers).toMatchObject({ authorization: `Bearer ${canary}` });
  });

  test("carry no secret to another origin, nor anything of it in what comes back", async () => {
    const elsewhere = secretOf([origin.replace("http:", "https:"), "http://127.0.0.1"]);
    const outcome = await fetchAs("/moved", { secrets: ["docs"] }, elsewhere);
    expect(outcome).toMatchObject({ answer: { status: 302 } });
    expect(lastSeen().headers.authorization).toBeUndefined();
    expect(
      JSON.stringify([outcome, await fetchAs("/", { secrets: ["docs"] }, secretOf([origin]))]),
    ).not.toContain(canary);
  });

  test("are not made where a secret is missing or bound to nothing: the job would get a stranger's pages", async () => {
    const before = seen.length;
    for (const env of [{}, { SLUICE_SECRET_DOCS: canary }]) {
      const outcome = await fetchAs("/", { secrets: ["docs"] }, env);
      expect(outcome).toMatchObject({
        content: null,
        answer: { kind: "failed", category: "unknown", code: "SECRET_UNUSABLE", requestSent: false },
      });
      expect(JSON.stringify(outcome)).not.toContain(canary);
    }
    expect(seen.length).toBe(before);
  });

  test("read bodies of wanted content types alone, and say where one was left", async () => {
    const wanted = { contentTypes: ["text/*", "application/pdf"] };
    expect(await fetchAs("/", wanted)).toMatchObject({
      answer: { bodySkipped: false },
      content: { title: "t" },
    });
    expect(await fetchAs("/typed-twice", wanted)).toMatchObject({
      answer: { bodySkipped: false },
      content: { title: "t", noindex: true, nofollow: false },
    });
    for (const path of ["/image", "/untyped"]) {
      expect(await fetchAs(path, wanted)).toMatchObject({
        answer: { bodySkipped: true, bodyBytes: 0 },
        content: { bodySha256: null },
      });
    }
    expect(await fetchAs("/image", { contentTypes: ["image/png"] })).toMatchObject({
      answer: { bodySkipped: false, bodyBytes: 10 },
    });
    expect(await fetchAs("/untyped", {})).toMatchObject({ answer: { bodyBytes: 10 } });
  });

  test("cut a body at its limit and mark it, or refuse it, as the job says", async () => {
    expect(await fetchAs("/image", { bodyBytesMax: 4 })).toMatchObject({
      answer: { kind: "response", truncated: true, bodyBytes: 4 },
    });
    expect(await fetchAs("/image", { bodyBytesMax: 4, onTooLarge: "refuse" })).toMatchObject({
      answer: { kind: "failed", category: "too_large" },
      content: null,
    });
  });

  test("leave by the fetcher's own address and say which; the host sees that one", async () => {
    for (const localAddress of ["127.0.0.51", "127.0.0.52"]) {
      expect(await fetchAs("/", {}, {}, { localAddress })).toMatchObject({ egress: localAddress });
      expect(lastSeen().from).toBe(localAddress);
    }
    expect(await fetchAs("/", {})).toMatchObject({ egress: null });
  });

  test("follow what the operator says of the host: fields, agent, deadlines and the way out", async () => {
    const policy = policySchema.parse({
      headers: { "X-Team": "operator", "x-key": { env: "SLUICE_SECRET_KEY" } },
      userAgent: "other/1.0",
      localAddress: "127.0.0.61",
    });
    const env = {
      SLUICE_SECRET_KEY: JSON.stringify({ kind: "header", header: "x", value: canary, origins: [origin] }),
    };
    const headers = { "X-Team": "search", "X-Job": "j" };
    const outcome = await fetchAs("/", { headers }, env, { localAddress: "127.0.0.62" }, "page", policy);
    expect(outcome).toMatchObject({ egress: "127.0.0.61" });
    expect(lastSeen().from).toBe("127.0.0.61");
    expect(lastSeen().headers).toMatchObject({
      "x-team": "operator",
      "x-job": "j",
      "x-key": canary,
      "user-agent": "other/1.0",
    });
    const hurried = policySchema.parse({ timeouts: { totalMs: 1 } });
    expect(await fetchAs("/never", {}, {}, {}, "page", hurried)).toMatchObject({
      answer: { kind: "failed", category: "timeout_total" },
    });
    const unset = policySchema.parse({ localAddress: null });
    expect(await fetchAs("/", {}, {}, { localAddress: "127.0.0.62" }, "page", unset)).toMatchObject({
      egress: null,
    });
  });

  test("carry an operator's secret that is bound to nothing by verified TLS alone", async () => {
    const policy = policySchema.parse({ headers: { authorization: { env: "SLUICE_SECRET_KEY" } } });
    await fetchAs("/", {}, { SLUICE_SECRET_KEY: canary }, {}, "page", policy);
    expect(lastSeen().headers.authorization).toBeUndefined();
    const made = (url: string, verify: boolean) =>
      new RequestMaker({
        secrets: new SecretStore({ env: { SLUICE_SECRET_KEY: canary }, dir: null, monotonicMs: () => 0 }),
        route: {},
        trustedProxies: [],
      }).make({
        kind: "robots",
        domain: "a.test",
        url,
        totalTimeoutMs: 1000,
        secrets: [],
        policy: { ...policy, tls: { verify } },
        ...noWait,
      });
    const bound = { origin: "https://a.test", field: "authorization", value: canary };
    expect(made("https://a.test/x", true)).toMatchObject({ request: { credentials: [bound] } });
    expect(made("https://a.test/x", false)).not.toHaveProperty("request.credentials");
  });

  test("give a proxy's credentials to the proxy that they are bound to, or that a setting names", () => {
    const proxyUrl = "http://proxy.test:3128";
    const made = (secret: string, trustedProxies: readonly string[]) =>
      new RequestMaker({
        secrets: new SecretStore({ env: { SLUICE_SECRET_P: secret }, dir: null, monotonicMs: () => 0 }),
        route: {},
        trustedProxies,
      }).make({
        kind: "robots",
        domain: "a.test",
        url: "http://a.test/robots.txt",
        totalTimeoutMs: 1000,
        secrets: [],
        policy: { proxy: { url: proxyUrl, credentials: { env: "SLUICE_SECRET_P" } } },
        ...noWait,
      });
    const given = { origin: proxyUrl, authorization: "Basic dTpw" };
    expect(made("u:p", [proxyUrl])).toMatchObject({
      request: { route: { proxy: { ...given, trusted: true } } },
    });
    expect(made("u:p", [])).toMatchObject({ kind: "refused" });
    const boundTo = (origins: readonly string[]) =>
      JSON.stringify({ kind: "basic", user: "u", password: "p", origins });
    expect(made(boundTo([proxyUrl]), [])).toMatchObject({
      request: { route: { proxy: { ...given, trusted: false } } },
      egress: `proxy ${proxyUrl}`,
    });
    expect(made(boundTo(["http://other.test:3128"]), [proxyUrl])).toMatchObject({ kind: "refused" });
  });

  test("name a proxy as their way out without its credentials", () => {
    const proxy = { origin: "http://proxy.test:3128", trusted: true, authorization: canary };
    expect(egressOf({ proxy })).toBe("proxy http://proxy.test:3128");
  });
});
