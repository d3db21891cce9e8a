import { policySchema, topics } from "@sluice/records";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Api } from "../src/api.ts";
import {
  apiWorld,
  ask as answerOf,
  fieldsOf,
  keyed,
  texts,
  type Answer,
  type ApiWorld,
} from "./api-world.ts";

let world: ApiWorld;
let api: Api;

beforeEach(async () => {
  world = await apiWorld();
  api = await world.replica("api-1");
});
afterEach(() => world.close());

const ask = (method: "GET" | "PUT" | "DELETE", path: string, payload?: object, to = api): Promise<Answer> =>
  answerOf(to, method, `/v1/policies${path}`, payload);
const written = () => texts(world.cluster, topics.policies.name).filter((text) => text !== "");

describe("policies of hosts", () => {
  it("are written under their pattern as the other services read them, and shown again", async () => {
    const body = { blocked: { reason: "asked by mail" }, delayMs: 5000, note: "ticket 12" };
    const answer = await ask("PUT", "/.example.org", body);
    expect(answer).toMatchObject({ status: 201, body: { pattern: ".example.org", ...body } });
    expect(policySchema.parse(JSON.parse(written()[0] ?? ""))).toMatchObject(body);
    expect((await ask("GET", "/.example.org")).body).toEqual(answer.body);
  });

  it("are replaced whole, and taken back", async () => {
    await ask("PUT", "/a.example", { delayMs: 5 });
    const second = await ask("PUT", "/a.example", { concurrency: 3 });
    expect(second).toMatchObject({ status: 200, body: { concurrency: 3 } });
    expect(second.body).not.toHaveProperty("delayMs");
    expect((await ask("DELETE", "/a.example")).status).toBe(204);
    expect((await ask("GET", "/a.example")).status).toBe(404);
    expect((await ask("DELETE", "/a.example")).status).toBe(404);
  });

  it("are listed in the order of their patterns, page by page", async () => {
    for (const pattern of ["b.example", "*", ".a.example", "*.a.example"])
      await ask("PUT", `/${encodeURIComponent(pattern)}`, { delayMs: 1 });
    const first = await ask("GET", "?limit=3");
    expect(first.body["policies"]).toMatchObject([
      { pattern: "*" },
      { pattern: "*.a.example" },
      { pattern: ".a.example" },
    ]);
    const next = await ask("GET", `?limit=3&after=${encodeURIComponent(String(first.body["next"]))}`);
    expect(next.body).toMatchObject({ policies: [{ pattern: "b.example" }], next: null });
  });

  it("take names as people write them", async () => {
    expect((await ask("PUT", "/*.M%C3%BCller.Example", { delayMs: 1 })).body["pattern"]).toBe(
      "*.xn--mller-kva.example",
    );
    expect((await ask("GET", "/*.m%C3%BCller.example")).status).toBe(200);
  });

  it.each<[string, object, string]>([
    ["a..example", { delayMs: 1 }, "pattern"],
    ["http%3A%2F%2Fa.example", { delayMs: 1 }, "pattern"],
    ["a.example", { delayMs: "slow" }, "delayMs"],
    ["a.example", { delay: 5 }, "delay"],
    ["a.example", { timeouts: { total: 5 } }, "timeouts.total"],
    ["a.example", { headers: { authorization: "Basic abc" } }, "headers.authorization"],
    ["a.example", { blocked: {} }, "blocked.reason"],
    ["a.example", { budgets: { perHost: { pagesMax: -1 } } }, "budgets.perHost.pagesMax"],
    ["a.example", { budgets: { perDomain: { pages: 5 } } }, "budgets.perDomain.pages"],
    ["a.example", { note: "only a note" }, "body"],
    ["a.example", {}, "body"],
  ])("at %s with %j are refused, %s is named and nothing is written", async (pattern, body, field) => {
    const answer = await ask("PUT", `/${pattern}`, body);
    expect(answer.status).toBe(400);
    expect(fieldsOf(answer)).toContain(field);
    expect(written()).toEqual([]);
  });

  it("written by others are shown, and what can't be read changes nothing", async () => {
    const record = keyed(topics.policies.name, "a.example", policySchema.parse({ delayMs: 7 }));
    const bad = keyed(topics.policies.name, "a.example", { delayMs: "x" });
    await world.write([
      { ...record, partition: 0 },
      { ...bad, partition: 0 },
    ]);
    expect((await ask("GET", "/a.example")).body).toMatchObject({ delayMs: 7 });
  });

  it("set by one replica are seen by the next question to another", async () => {
    const other = await world.replica("api-2");
    await Promise.all([
      ask("PUT", "/a.example", { delayMs: 7 }),
      ask("PUT", "/b.example", { delayMs: 8 }, other),
    ]);
    expect((await ask("GET", "/a.example", undefined, other)).body).toMatchObject({ delayMs: 7 });
    expect((await ask("GET", "/b.example")).body).toMatchObject({ delayMs: 8 });
  });

  it("are described in the OpenAPI document", async () => {
    const document = (await api.app.inject({ method: "GET", url: "/openapi.json" })).json() as {
      paths: Record<string, Record<string, unknown>>;
    };
    expect(Object.keys(document.paths["/v1/policies/{pattern}"] ?? {}).sort()).toEqual([
      "delete",
      "get",
      "put",
    ]);
  });
});
