import { jobSchema, topics, type Result } from "@sluice/records";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Api } from "../src/api.ts";
import {
  apiWorld,
  ask,
  fieldsOf,
  resultOf,
  resultRecord,
  statusRecord,
  submission,
  texts,
  type ApiWorld,
} from "./api-world.ts";

let world: ApiWorld;
let api: Api;

beforeEach(async () => {
  world = await apiWorld();
  api = await world.replica("api-1");
  await ask(api, "POST", "/v1/jobs", submission({ id: "docs" }));
});
afterEach(() => world.close());

const failedAs = (number: number, outcome: string, fields: Partial<Result> = {}): Result => ({
  ...resultOf("docs", 1, number),
  outcome,
  status: null,
  error_code: outcome.toUpperCase(),
  ...fields,
});
const write = (...results: readonly Result[]): Promise<void> =>
  world.write(results.map((result, index) => resultRecord(result, index % 3)));
const lastJob = () => jobSchema.parse(JSON.parse(texts(world.cluster, topics.jobs.name).at(-1) ?? "null"));
const listed = async (query = ""): Promise<{ urls: readonly unknown[]; body: Record<string, unknown> }> => {
  const { status, body } = await ask(api, "GET", `/v1/jobs/docs/failed${query}`);
  expect(status).toBe(200);
  const failed = body["failed"] as readonly { readonly url: string }[];
  return { urls: failed.map(({ url }) => url).sort(), body };
};

describe("what failed in a job", () => {
  it("is listed by category, page by page, without what was had, other jobs and other runs", async () => {
    await write(
      resultOf("docs", 1, 1),
      failedAs(2, "dns"),
      failedAs(3, "http_5xx", { status: 503 }),
      { ...failedAs(4, "dns"), job: "other" },
      failedAs(5, "dns"),
      { ...failedAs(6, "dns"), run: 2 },
      { ...resultOf("docs", 1, 7), outcome: "redirect" },
    );
    await world.write([statusRecord("docs", 1, { failed: 3, failedBy: { dns: 2, http_5xx: 1 } })]);
    const { urls, body } = await listed();
    expect(urls).toEqual([2, 3, 5].map((number) => `https://site.example/${number}`));
    await world.until(async () => (await listed()).body["failedBy"] !== null);
    expect((await listed()).body["failedBy"]).toEqual({ dns: 2, http_5xx: 1 });
    expect(body["next"]).toBeNull();
    expect((await listed("?category=dns")).urls).toEqual([2, 5].map((n) => `https://site.example/${n}`));
    const seen: unknown[] = [];
    for (let after: string | null = ""; after !== null;) {
      const page = await listed(`?limit=1${after === "" ? "" : `&after=${after}`}`);
      expect(page.urls.length).toBeLessThanOrEqual(1);
      seen.push(...page.urls);
      after = page.body["next"] as string | null;
    }
    expect(seen.sort()).toEqual(urls);
  });

  it("says of each whether it was asked for again since", async () => {
    await write(failedAs(1, "dns"), failedAs(2, "reset"));
    await ask(api, "POST", "/v1/jobs/docs/retry", { categories: ["dns"] });
    const { body } = await listed();
    expect(body["failed"]).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ category: "dns", errorCode: "DNS", retried: true }),
        expect.objectContaining({ category: "reset", retried: false }),
      ]),
    );
  });

  it("is no category that nobody knows, and nothing of a job that is not there", async () => {
    expect(fieldsOf(await ask(api, "GET", "/v1/jobs/docs/failed?category=ok"))).toEqual(["category"]);
    expect(fieldsOf(await ask(api, "POST", "/v1/jobs/docs/retry", { categories: ["bad"] }))).toEqual([
      "categories.0",
    ]);
    expect((await ask(api, "GET", "/v1/jobs/none/failed")).status).toBe(404);
    expect((await ask(api, "POST", "/v1/jobs/none/retry", {})).status).toBe(404);
  });
});

describe("asking for failed URLs again", () => {
  it("counts how often, by category, and changes nothing else of a job that runs", async () => {
    const before = lastJob();
    const first = await ask(api, "POST", "/v1/jobs/docs/retry", { categories: ["dns", "reset"] });
    expect(first.status).toBe(202);
    await ask(api, "POST", "/v1/jobs/docs/retry", { categories: ["dns"] });
    const { retry, ...rest } = lastJob();
    expect(rest).toEqual(before);
    expect(retry).toMatchObject({ asked: { dns: { times: 2 }, reset: { times: 1 } }, continues: null });
  });

  it("is for all categories where none is named", async () => {
    await ask(api, "POST", "/v1/jobs/docs/retry");
    expect(Object.keys(lastJob().retry?.asked ?? {})).toEqual(expect.arrayContaining(["http_4xx", "dns"]));
  });

  it("makes a job that has ended go on as its next run, and is refused where nothing has failed so", async () => {
    const over = { state: "ended", finishReason: "completed", endedAtMs: 3 } as const;
    await world.write([statusRecord("docs", 1, { ...over, failed: 2, failedBy: { dns: 2 } })]);
    expect((await ask(api, "POST", "/v1/jobs/docs/retry", { categories: ["reset"] })).status).toBe(409);
    expect((await ask(api, "POST", "/v1/jobs/docs/retry", { categories: ["dns"] })).status).toBe(202);
    expect(lastJob()).toMatchObject({
      run: 2,
      desired: "running",
      retry: { asked: { dns: { times: 1 } }, continues: 1 },
    });
    // Once more while it runs: it still goes on with run 1.
    await ask(api, "POST", "/v1/jobs/docs/retry", { categories: ["dns"] });
    expect(lastJob()).toMatchObject({ run: 2, retry: { asked: { dns: { times: 2 } }, continues: 1 } });
  });

  it("is refused while a cancelled job ends", async () => {
    await ask(api, "POST", "/v1/jobs/docs/cancel");
    expect((await ask(api, "POST", "/v1/jobs/docs/retry", {})).status).toBe(409);
  });

  it("at two replicas at once is two orders, of which none is lost", async () => {
    const other = await world.replica("api-2");
    const body = { categories: ["dns"] };
    await Promise.all([
      ask(api, "POST", "/v1/jobs/docs/retry", body),
      ask(other, "POST", "/v1/jobs/docs/retry", body),
    ]);
    expect(lastJob().retry?.asked["dns"]?.times).toBe(2);
  });
});
