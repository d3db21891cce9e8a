import { jobSchema, topics } from "@sluice/records";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Api } from "../src/api.ts";
import { jobListSchema, jobViewSchema, submittedSchema } from "../src/job-view.ts";
import { problemSchema } from "../src/problem.ts";
import {
  apiWorld,
  ask as answerOf,
  fieldsOf,
  keyed,
  seedUrl,
  statusRecord,
  submission,
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

const ask = (
  method: "GET" | "POST",
  url: string,
  payload?: object,
  headers: Readonly<Record<string, string>> = {},
  to = api,
): Promise<Answer> => answerOf(to, method, url, payload, headers);

const submit = (fields: object = {}, headers: Record<string, string> = {}): Promise<Answer> =>
  ask("POST", "/v1/jobs", submission(fields), headers);
const jobsWritten = () =>
  texts(world.cluster, topics.jobs.name).map((text) => jobSchema.parse(JSON.parse(text)));
const ended = (job: string, run = 1) =>
  statusRecord(job, run, { state: "ended", finishReason: "completed", endedAtMs: 3 });

describe("submitting a job", () => {
  it("writes the record that the other services read, with defaults filled in, under its id", async () => {
    const answer = await submit({ id: "docs", limits: { maxPages: 5 }, politeness: { delayMs: 20 } });
    expect(answer.status).toBe(201);
    expect(submittedSchema.parse(answer.body)).toMatchObject({
      id: "docs",
      run: 1,
      links: { self: "/v1/jobs/docs" },
    });
    const [record] = jobsWritten();
    expect(record).toEqual(
      jobSchema.parse({
        id: "docs",
        seeds: [seedUrl],
        limits: { maxPages: 5 },
        politeness: { delayMs: 20 },
        submittedAtMs: submittedSchema.parse(answer.body).submittedAtMs,
      }),
    );
    const read = await ask("GET", "/v1/jobs/docs");
    expect(jobViewSchema.parse(read.body)).toMatchObject({ state: "submitted", job: record, status: null });
  });

  it("makes up an id where none is given, and another one each time", async () => {
    const ids = [await submit(), await submit()].map(({ body }) => submittedSchema.parse(body).id);
    expect(new Set(ids).size).toBe(2);
    expect(
      jobsWritten()
        .map(({ id }) => id)
        .sort(),
    ).toEqual(ids.sort());
  });

  it.each([
    ["a missing field", { seeds: undefined }, ["seeds"]],
    ["no seeds at all", { seeds: [] }, ["seeds"]],
    [
      "seeds that are no URLs",
      { seeds: [seedUrl, "nowhere", "ftp://site.example/", "https://user:word@site.example/"] },
      ["seeds.1", "seeds.2", "seeds.3"],
    ],
    ["an id that topics can't have", { id: "Not Good" }, ["id"]],
    ["the id of seeds without a job", { id: "default" }, ["id"]],
    [
      "values out of range",
      { limits: { maxPages: 0, maxDepth: -1 } },
      ["limits.maxPages", "limits.maxDepth"],
    ],
    ["a limit with a typo in it", { limits: { maxPage: 5 } }, ["limits.maxPage"]],
    ["a field nobody knows", { colour: "red" }, ["colour"]],
    ["the run, which is not the user's to choose", { run: 7 }, ["run"]],
    [
      "globs that mean nothing",
      { scope: { include: ["/ok/**", "[z-a]"], exclude: ["[b-a]"] } },
      ["scope.include.1", "scope.exclude.0"],
    ],
  ])("refuses %s, names the field and writes nothing", async (_, fields, named) => {
    const answer = await submit(fields);
    expect(answer.status).toBe(400);
    expect(fieldsOf(answer)).toEqual(named);
    expect(jobsWritten()).toEqual([]);
  });

  it("refuses what is no JSON, other kinds of bodies, and bodies beyond the limit", async () => {
    const json = { "content-type": "application/json" };
    const post = (payload: string, headers: Record<string, string>) =>
      api.app.inject({ method: "POST", url: "/v1/jobs", payload, headers });
    expect((await post("{", json)).statusCode).toBe(400);
    expect((await post('{"__proto__": {"seeds": []}}', json)).statusCode).toBe(400);
    expect((await post("{}", { "content-type": "text/plain" })).statusCode).toBe(415);
    const large = await post(JSON.stringify({ seeds: ["x".repeat(5_000_000)] }), json);
    expect(large.statusCode).toBe(413);
    expect(problemSchema.parse(large.json()).errors).toHaveLength(1);
  });

  it("refuses a job that has not ended, and starts its next run once it has", async () => {
    await submit({ id: "again" });
    await world.write([statusRecord("again", 1)]);
    const early = await submit({ id: "again" });
    expect(early.status).toBe(409);
    expect(fieldsOf(early)).toEqual(["id"]);
    await world.write([ended("again")]);
    const late = await submit({ id: "again", limits: { maxPages: 3 } });
    expect(late).toMatchObject({ status: 201, body: { run: 2 } });
    await world.until(() => jobsWritten().length === 2);
    expect(jobsWritten().map(({ run, limits }) => [run, limits.maxPages])).toEqual([
      [1, null],
      [2, 3],
    ]);
    // What was said of the first run is not the state of the second.
    expect((await ask("GET", "/v1/jobs/again")).body).toMatchObject({
      run: 2,
      state: "submitted",
      status: null,
    });
  });

  it("goes on counting runs where the record is gone and the status is not", async () => {
    await world.write([statusRecord("gone", 4, { state: "ended" })]);
    expect(await submit({ id: "gone" })).toMatchObject({ status: 201, body: { run: 5 } });
  });
});

describe("an Idempotency-Key", () => {
  const key = { "idempotency-key": "order-66" };

  it("gives the same answer again, on any replica, and makes one job", async () => {
    const other = await world.replica("api-2");
    const first = await submit({}, key);
    const second = await submit({}, key);
    const third = await ask("POST", "/v1/jobs", submission(), key, other);
    expect([first.status, second.status, third.status]).toEqual([201, 200, 200]);
    expect(second.body).toEqual(first.body);
    expect(third.body).toEqual(first.body);
    expect(jobsWritten()).toHaveLength(1);
  });

  it("holds after the job was paused, was crawled again, and the API was started anew", async () => {
    const first = await submit({ id: "long" }, key);
    await ask("POST", "/v1/jobs/long/pause");
    await world.write([ended("long")]);
    await world.until(async () => (await submit({ id: "long", limits: { maxPages: 1 } })).status === 201);
    const fresh = await world.replica("api-3");
    const again = await ask("POST", "/v1/jobs", submission({ id: "long" }), key, fresh);
    expect(again).toEqual({ status: 200, body: first.body });
  });

  it("is refused with another body, the id included", async () => {
    await submit({ id: "one" }, key);
    for (const fields of [{ id: "one", limits: { maxPages: 2 } }, { id: "two" }, {}]) {
      const answer = await submit(fields, key);
      expect(answer.status).toBe(422);
      expect(fieldsOf(answer)).toEqual(["Idempotency-Key"]);
    }
    expect(jobsWritten()).toHaveLength(1);
  });

  it("makes one job of requests that come at once at three replicas, and gives all of them one answer", async () => {
    const replicas = [api, await world.replica("api-2"), await world.replica("api-3")];
    for (let round = 0; round < 10; round += 1) {
      const each = { "idempotency-key": `round-${round}` };
      const fields = round % 2 === 0 ? {} : { id: `named-${round}` };
      const answers = await Promise.all(
        [...replicas, ...replicas].map((to) => ask("POST", "/v1/jobs", submission(fields), each, to)),
      );
      expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 200, 200, 200, 200, 201]);
      expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1);
    }
    await world.until(() => jobsWritten().length >= 10);
    await world.pass(1000);
    expect(jobsWritten()).toHaveLength(10);
  });

  it("and another body come at once at two replicas: one is a job, the other is refused", async () => {
    const other = await world.replica("api-2");
    const [first, second] = await Promise.all([
      ask("POST", "/v1/jobs", submission({ id: "mine" }), key),
      ask("POST", "/v1/jobs", submission({ id: "mine", limits: { maxPages: 1 } }), key, other),
    ]);
    expect([first.status, second.status].toSorted()).toEqual([201, 422]);
    await world.until(() => jobsWritten().length === 1);
    expect(jobsWritten()[0]?.limits.maxPages).toBe(first.status === 201 ? null : 1);
  });

  it("makes one job of two requests that come at once", async () => {
    const answers = await Promise.all([submit({}, key), submit({}, key)]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 201]);
    expect(answers[0]?.body).toEqual(answers[1]?.body);
  });
});

describe("pause, resume and cancel", () => {
  const desired = () => jobsWritten().map((job) => job.desired);

  it("write what is wanted of the job and change nothing else", async () => {
    await submit({ id: "work", limits: { maxPages: 7 } });
    for (const verb of ["pause", "resume", "cancel"])
      expect((await ask("POST", `/v1/jobs/work/${verb}`)).status).toBe(202);
    await world.until(() => desired().length === 4);
    expect(desired()).toEqual(["running", "paused", "running", "cancelled"]);
    const [first, ...rest] = jobsWritten();
    for (const each of rest) expect({ ...each, desired: "running" }).toEqual(first);
  });

  it("write nothing where it is so already, and know the job of seeds without a job", async () => {
    await submit({ id: "calm" });
    await ask("POST", "/v1/jobs/calm/resume");
    await ask("POST", "/v1/jobs/default/pause");
    await world.until(() => desired().length === 2);
    expect(jobsWritten().filter(({ id }) => id === "calm")).toMatchObject([{ desired: "running" }]);
    expect(jobsWritten().find(({ id }) => id === "default")).toMatchObject({ open: true, desired: "paused" });
  });

  it("hold when they come at once at two replicas: what was cancelled stays cancelled", async () => {
    const other = await world.replica("api-2");
    for (let round = 0; round < 10; round += 1) {
      const id = `torn-${round}`;
      await submit({ id });
      const [cancel, pause] = await Promise.all([
        ask("POST", `/v1/jobs/${id}/cancel`),
        ask("POST", `/v1/jobs/${id}/pause`, undefined, {}, other),
      ]);
      expect(cancel.status).toBe(202);
      expect([202, 409]).toContain(pause.status);
      expect((await ask("GET", `/v1/jobs/${id}`, undefined, {}, other)).body).toMatchObject({
        job: { desired: "cancelled" },
      });
    }
  });

  it("without a key two submissions of one id at once are one job", async () => {
    const other = await world.replica("api-2");
    const answers = await Promise.all([
      submit({ id: "one", limits: { maxPages: 1 } }),
      ask("POST", "/v1/jobs", submission({ id: "one", limits: { maxPages: 2 } }), {}, other),
    ]);
    expect(answers.map(({ status }) => status).toSorted()).toEqual([201, 409]);
  });

  it("refuse a job that is not there, one that has ended, and to resume one that was cancelled", async () => {
    expect((await ask("POST", "/v1/jobs/none/pause")).status).toBe(404);
    await submit({ id: "off" });
    await ask("POST", "/v1/jobs/off/cancel");
    expect((await ask("POST", "/v1/jobs/off/resume")).status).toBe(409);
    await world.write([ended("off")]);
    await world.until(async () => (await ask("GET", "/v1/jobs/off")).status === 200);
    expect((await ask("POST", "/v1/jobs/off/pause")).status).toBe(409);
  });
});

describe("looking at jobs", () => {
  it("two replicas answer the same, with figures that add up", async () => {
    const other = await world.replica("api-2");
    await submit({ id: "seen" });
    await world.write([statusRecord("seen", 1)]);
    const at = (to: Api) => ask("GET", "/v1/jobs/seen", undefined, {}, to);
    await world.until(async () => (await at(api)).body?.["state" as never] === "running");
    await world.until(async () => (await at(other)).body?.["state" as never] === "running");
    const answer = await at(api);
    expect(await at(other)).toEqual(answer);
    const { status } = jobViewSchema.parse(answer.body);
    expect(status?.admitted).toBe(3 + 1 + 1 + 3 + 1);
    expect(await ask("GET", "/v1/jobs", undefined, {}, other)).toEqual(await ask("GET", "/v1/jobs"));
  });

  it("another replica knows a job as soon as it was answered", async () => {
    const other = await world.replica("api-2");
    for (let number = 0; number < 20; number += 1) {
      await submit({ id: `quick-${number}` });
      expect((await ask("GET", `/v1/jobs/quick-${number}`, undefined, {}, other)).status).toBe(200);
    }
  });

  it("lists jobs page by page in the order of their ids, without their seeds", async () => {
    for (const id of ["c", "a", "d", "b", "e"]) await submit({ id });
    const first = jobListSchema.parse((await ask("GET", "/v1/jobs?limit=2")).body);
    expect(first.jobs.map(({ id }) => id)).toEqual(["a", "b"]);
    expect(first.jobs[0]).toMatchObject({ seedsCount: 1, state: "submitted" });
    expect(first.jobs[0]?.job).not.toHaveProperty("seeds");
    const second = jobListSchema.parse((await ask("GET", `/v1/jobs?limit=3&after=${first.next}`)).body);
    expect(second.jobs.map(({ id }) => id)).toEqual(["c", "d", "e"]);
    expect(second.next).toBeNull();
  });

  it("refuses parameters that nobody knows and values that are not allowed", async () => {
    expect(fieldsOf(await ask("GET", "/v1/jobs?limit=0&page=2"))).toEqual(["limit", "page"]);
    expect(fieldsOf(await ask("GET", "/v1/jobs/Not%20Good"))).toEqual(["id"]);
    expect((await ask("GET", "/v1/jobs/none")).status).toBe(404);
  });

  it("forgets a job whose record was removed, and passes over records that can't be read", async () => {
    await submit({ id: "brief" });
    await world.write([{ ...keyed(topics.jobs.name, "brief", {}), value: "{" }]);
    expect((await ask("GET", "/v1/jobs/brief")).status).toBe(200);
    await world.write([{ ...keyed(topics.jobs.name, "brief", {}), value: null }]);
    expect((await ask("GET", "/v1/jobs/brief")).status).toBe(404);
  });
});

describe("a batch", () => {
  it("is a job under its session_id that fetches the URLs and follows nothing", async () => {
    const answer = await ask("POST", "/api/crawl/batch", {
      urls: [seedUrl],
      session_id: "morning",
      distributed: true,
    });
    expect(answer).toMatchObject({ status: 201, body: { id: "morning", run: 1 } });
    expect(jobsWritten()).toMatchObject([{ id: "morning", seeds: [seedUrl], limits: { maxDepth: 0 } }]);
    expect((await ask("POST", "/api/crawl/batch", { urls: [seedUrl] })).status).toBe(201);
  });

  it("names its own fields", async () => {
    const refused = await ask("POST", "/api/crawl/batch", { urls: ["nowhere"], session_id: "x" });
    expect([refused.status, fieldsOf(refused)]).toEqual([400, ["urls.0"]]);
    // No services are given to this one.
    const direct = await ask("POST", "/api/crawl/batch", { urls: [seedUrl], distributed: false });
    expect([direct.status, fieldsOf(direct)]).toEqual([422, ["distributed"]]);
    const session = await ask("POST", "/api/crawl/batch", { urls: [seedUrl], session_id: "A B" });
    expect([session.status, fieldsOf(session)]).toEqual([400, ["session_id"]]);
  });
});
