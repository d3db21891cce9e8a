import { spawnSync } from "node:child_process";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { isLoopback } from "../src/access.ts";
import type { Api } from "../src/api.ts";
import { jobViewSchema } from "../src/job-view.ts";
import { problemSchema } from "../src/problem.ts";
import { routesOf } from "../src/route.ts";
import { apiWorld, submission, type ApiWorld } from "./api-world.ts";

const token = "a-token-of-24-characters";

let world: ApiWorld;
let open: Api;
let closed: Api;

beforeEach(async () => {
  world = await apiWorld();
  open = await world.replica("open");
  closed = await world.replica("closed", { token });
});
afterEach(() => world.close());

const at = (url: string): string => url.replace(":id", "some-job");

describe("with a token", () => {
  it("every route but /livez is closed without it, those that do not exist included", async () => {
    const routes = routesOf(closed.app);
    expect(routes.length).toBeGreaterThanOrEqual(14);
    const tried: string[] = [];
    for (const { method, url } of [
      ...routes,
      { method: "GET", url: "/nowhere" },
      { method: "POST", url: "/" },
    ] as const) {
      const statuses = [];
      for (const authorization of [
        undefined,
        "Bearer ",
        "Bearer wrong-token-of-24-chars",
        `Basic ${token}`,
        `Bearer ${token}x`,
      ]) {
        const headers = authorization === undefined ? {} : { authorization };
        statuses.push((await closed.app.inject({ method, url: at(url), headers })).statusCode);
      }
      expect(statuses, url).toEqual(statuses.map(() => (url === "/livez" ? 200 : 401)));
      tried.push(url);
    }
    // The list is the router's own: what is not described is not there, but for the files of the page, which are
    // no secret.
    const known = closed.app.printRoutes({ commonPrefix: false });
    expect(known.match(/\((GET|POST)(?!, HEAD)/g)?.length).toBe(
      new Set(tried.filter((url) => url !== "/nowhere" && url !== "/")).size,
    );
  });

  it("its bearer is let in, from anywhere, and the answer to others says what is asked for", async () => {
    const headers = {
      authorization: `bearer ${token}`,
      host: "crawler.example",
      origin: "https://pages.example",
    };
    expect((await closed.app.inject({ url: "/v1/jobs", headers })).statusCode).toBe(200);
    expect(
      (await closed.app.inject({ method: "POST", url: "/v1/jobs", headers, payload: submission() }))
        .statusCode,
    ).toBe(201);
    const refused = await closed.app.inject({ url: "/v1/jobs" });
    expect(refused.headers["www-authenticate"]).toContain("Bearer");
    expect(problemSchema.parse(refused.json()).status).toBe(401);
  });
});

describe("without a token", () => {
  it("answers only to names of loopback, so that no name of a stranger leads here", async () => {
    for (const host of ["localhost", "localhost:7400", "127.0.0.1:7400", "127.9.9.9", "[::1]:7400"])
      expect((await open.app.inject({ url: "/v1/jobs", headers: { host } })).statusCode, host).toBe(200);
    for (const host of ["evil.example", "127.0.0.1.evil.example", "10.0.0.1", "localhost.evil.example:7400"])
      expect((await open.app.inject({ url: "/v1/jobs", headers: { host } })).statusCode, host).toBe(403);
  });

  it("lets no page of another origin change anything", async () => {
    const post = (origin: string) =>
      open.app.inject({
        method: "POST",
        url: "/v1/jobs/default/pause",
        headers: { host: "localhost:7400", origin },
      });
    for (const origin of ["https://evil.example", "null", "http://localhost:9999"])
      expect((await post(origin)).statusCode).toBe(403);
    expect((await post("http://localhost:7400")).statusCode).toBe(202);
  });
});

describe("binding", () => {
  const start = (env: Record<string, string>) =>
    spawnSync(process.execPath, [new URL("../src/main.ts", import.meta.url).pathname], {
      env: { PATH: process.env["PATH"], KAFKA_BROKERS: "127.0.0.1:1", ...env },
      encoding: "utf8",
      timeout: 30_000,
    });

  it("beyond loopback without a token, the process does not start and says why", () => {
    const { status, stderr } = start({ SLUICE_API_HOST: "0.0.0.0" });
    expect(status).toBe(2);
    expect(stderr).toContain("SLUICE_API_TOKEN");
  });

  it("names every bad setting at once and shows no token", () => {
    const { status, stderr } = start({
      SLUICE_API_PORT: "x",
      SLUICE_API_TOKEN: "short",
      SLUICE_PARTITIONS: "0",
    });
    expect(status).toBe(2);
    for (const name of ["SLUICE_API_PORT", "SLUICE_API_TOKEN", "SLUICE_PARTITIONS"])
      expect(stderr).toContain(name);
    expect(stderr).not.toContain("short");
  });

  it("knows loopback from what looks like it", () => {
    expect(["127.0.0.1", "127.1.2.3", "::1", "localhost"].every(isLoopback)).toBe(true);
    expect(["0.0.0.0", "::", "128.0.0.1", "127.0.0.1.example", ""].some(isLoopback)).toBe(false);
  });
});

describe("what operators ask", () => {
  it("lives, is ready with its checks by name, and has metrics", async () => {
    expect((await open.app.inject("/livez")).body).toBe("ok\n");
    expect((await open.app.inject("/readyz")).body).toBe("ok\n");
    expect((await open.app.inject("/readyz?verbose")).body).toMatch(/^\[\+\] jobs: .+\n\[\+\] events: .+\n$/);
    expect((await open.app.inject("/metrics")).body).toContain(
      'sluice_api_requests_total{route="/livez",method="GET",status="2xx",service="api"} 1\n',
    );
  });

  it("says that a path is not there, and that one can't be read, as problem details", async () => {
    for (const [url, status] of [
      ["/v2/jobs", 404],
      ["/%zz", 400],
      ["/v1/jobs/a/unknown", 404],
    ] as const) {
      const answer = await open.app.inject(url);
      expect(answer.headers["content-type"]).toContain("application/problem+json");
      expect(problemSchema.parse(answer.json())).toMatchObject({ status, instance: url });
    }
  });

  it("answers 503 while Kafka is away, lives on, and answers again when it is back", async () => {
    world.cluster.stopBroker();
    const answer = await open.app.inject("/v1/jobs");
    expect(answer.statusCode).toBe(503);
    expect(answer.headers["retry-after"]).toBe("5");
    expect((await open.app.inject("/livez")).statusCode).toBe(200);
    world.cluster.startBroker();
    await world.until(async () => (await open.app.inject("/readyz")).statusCode === 200);
    expect((await open.app.inject("/v1/jobs")).statusCode).toBe(200);
  });
});

interface OpenApi {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}
interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly required: boolean }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: object }>> };
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema: object }>> }>
  >;
  readonly security?: readonly object[];
}

describe("the OpenAPI document", () => {
  const document = async (): Promise<OpenApi> => (await open.app.inject("/openapi.json")).json();

  it("describes every route once, with its parameters, under an id of its own", async () => {
    const { openapi, paths } = await document();
    expect(openapi).toBe("3.1.0");
    const described = Object.entries(paths).flatMap(([path, operations]) =>
      Object.keys(operations).map(
        (method) => `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ":$1")}`,
      ),
    );
    expect(described.toSorted()).toEqual(
      routesOf(open.app)
        .map(({ method, url }) => `${method} ${url}`)
        .toSorted(),
    );
    const operations = Object.entries(paths).flatMap(([path, byMethod]) =>
      Object.values(byMethod).map((each) => [path, each] as const),
    );
    expect(new Set(operations.map(([, { operationId }]) => operationId)).size).toBe(operations.length);
    for (const [path, { parameters = [], responses }] of operations) {
      expect(responses).toHaveProperty("default");
      const inPath = parameters.filter((each) => each.in === "path").map(({ name }) => `{${name}}`);
      expect(path.match(/\{\w+\}/g) ?? []).toEqual(inPath);
    }
    expect(paths["/v1/jobs/{id}/events"]?.["get"]?.parameters).toContainEqual(
      expect.objectContaining({ name: "last-event-id", in: "header", required: false }),
    );
    expect(paths["/livez"]?.["get"]?.security).toEqual([]);
  });

  it("its schemas are what is really accepted and answered", async () => {
    const { paths } = await document();
    const post = paths["/v1/jobs"]?.["post"];
    const body = z.fromJSONSchema((post?.requestBody?.content["application/json"]?.schema ?? {}) as never);
    expect(body.safeParse(submission({ limits: { maxPages: 3 } })).success).toBe(true);
    expect(body.safeParse(submission({ limits: { maxPage: 3 } })).success).toBe(false);
    expect(body.safeParse({}).success).toBe(false);
    await open.app.inject({ method: "POST", url: "/v1/jobs", payload: submission({ id: "shown" }) });
    const answer = (await open.app.inject("/v1/jobs/shown")).json();
    const schema =
      paths["/v1/jobs/{id}"]?.["get"]?.responses["200"]?.content?.["application/json"]?.schema ?? {};
    expect(z.fromJSONSchema(schema as never).safeParse(answer).success).toBe(true);
    expect(jobViewSchema.safeParse(answer).success).toBe(true);
  });
});
