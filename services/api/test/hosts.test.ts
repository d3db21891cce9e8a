import { hostSchema, policySchema, topics } from "@sluice/records";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Api } from "../src/api.ts";
import { apiWorld, ask as answerOf, keyed, layout, texts, type Answer, type ApiWorld } from "./api-world.ts";

let world: ApiWorld;
let api: Api;

beforeEach(async () => {
  world = await apiWorld();
  api = await world.replica("api-1");
});
afterEach(() => world.close());

const told = hostSchema.parse({
  domain: "a.example",
  hold: "breaker",
  holdUntilMs: 9000,
  delayMs: 1000,
  crawlDelayMs: null,
  failuresInRow: 5,
  breaker: "open",
  breakerUntilMs: 9000,
  robotsStatus: "parsed",
  robotsReadAtMs: 1000,
  updatedAtMs: 2000,
});

const ask = (method: "GET" | "POST" | "PUT", url: string, payload?: object): Promise<Answer> =>
  answerOf(api, method, url, payload);

describe("a host", () => {
  it("is shown with its pace, breaker and robots.txt as they were told last, and with all that is said of it", async () => {
    await world.write([
      keyed(topics.hosts.name, "a.example", { ...told, breaker: "closed" }),
      keyed(topics.hosts.name, "b.example", { ...told, domain: "b.example" }),
      keyed(topics.hosts.name, "a.example", told),
    ]);
    await ask("PUT", "/v1/policies/.example", { delayMs: 3000, concurrency: 2 });
    await ask("PUT", "/v1/policies/a.example", { delayMs: 5000 });
    expect((await ask("GET", "/v1/hosts/A.example")).body).toMatchObject({
      host: "a.example",
      known: told,
      policy: { delayMs: 5000, concurrency: 2 },
      patterns: ["a.example", ".example"],
    });
  });

  it("of which nothing is known is shown with its policy alone; a pattern is no host", async () => {
    expect((await ask("GET", "/v1/hosts/new.example")).body).toEqual({
      host: "new.example",
      domain: "new.example",
      known: null,
      policy: {},
      patterns: [],
    });
    expect((await ask("GET", "/v1/hosts/*.example")).status).toBe(400);
  });

  it("that shares its clock is shown with what was told of its registrable domain, and reset with it", async () => {
    const grouped = { ...layout, politenessKey: "registrable-domain" as const };
    api = await world.replica("api-2", { layout: grouped });
    await world.write([keyed(topics.hosts.name, "site.example", { ...told, domain: "site.example" })]);
    expect((await ask("GET", "/v1/hosts/www.site.example")).body).toMatchObject({
      host: "www.site.example",
      domain: "site.example",
      known: { breaker: "open" },
    });
    expect((await ask("POST", "/v1/hosts/www.site.example/breaker/reset")).status).toBe(202);
    expect((await ask("GET", "/v1/policies/site.example")).body).toMatchObject({
      forgetFailuresBeforeMs: expect.any(Number),
    });
  });

  it("has its breaker reset by a word that all services read, and its policy stays", async () => {
    await ask("PUT", "/v1/policies/a.example", { delayMs: 5000 });
    const { status, body } = await ask("POST", "/v1/hosts/a.example/breaker/reset");
    expect(status).toBe(202);
    const written = texts(world.cluster, topics.policies.name).at(-1) ?? "";
    expect(policySchema.parse(JSON.parse(written))).toMatchObject({
      delayMs: 5000,
      forgetFailuresBeforeMs: body["forgetFailuresBeforeMs"],
    });
  });
});
